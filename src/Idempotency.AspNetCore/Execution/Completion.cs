namespace Idempotency.AspNetCore;

/// <summary>What became of the attempt to record an answer.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Record">With <see cref="CompletionOutcome.Superseded"/>: the answer that counts, when it is there.</param>
internal readonly record struct Completion(CompletionOutcome Outcome, CompletedRecord? Record = null);

internal enum CompletionOutcome
{
    /// <summary>It is recorded.</summary>
    Recorded,

    /// <summary>The claim had lapsed and another attempt has the key: its answer counts, and ours must not be told.</summary>
    Superseded,

    /// <summary>The store could not be reached, or the key belongs to a different request by now: the answer is told, marked as not recorded.</summary>
    NotRecorded,

    /// <summary>The database has undone the transaction of the run in favour of another. Nothing is done, and the claim is still ours: it may run again.</summary>
    Conflict,

    /// <summary>The transaction of the run was not begun, or not committed. Nothing is done, and the claim is not ours any more.</summary>
    Undone,

    /// <summary>Nobody can tell at the moment whether the transaction of the run was committed. The record will: there is an answer exactly when there is an effect.</summary>
    Unknown,
}
