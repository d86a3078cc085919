namespace Idempotency.AspNetCore;

/// <summary>The result of a claim.</summary>
/// <param name="Outcome">The state of the key.</param>
/// <param name="Claim">The claim, with <see cref="ClaimOutcome.Acquired"/>.</param>
/// <param name="Record">The record, with <see cref="ClaimOutcome.Completed"/>.</param>
/// <param name="Error">The exception of the store, with <see cref="ClaimOutcome.StoreUnavailable"/> and <see cref="ClaimOutcome.Unreadable"/>.</param>
internal readonly record struct ClaimDecision(ClaimOutcome Outcome, OwnedClaim? Claim = null, CompletedRecord? Record = null, Exception? Error = null)
{
    /// <summary>The problem with which the request is rejected; null if it runs or is replayed.</summary>
    public IdempotencyProblem? Problem => Outcome switch
    {
        ClaimOutcome.Acquired or ClaimOutcome.Completed => null,
        ClaimOutcome.Reused => IdempotencyProblem.KeyReused,
        ClaimOutcome.InProgress => IdempotencyProblem.RequestInProgress,
        ClaimOutcome.OutcomeUnknown => IdempotencyProblem.OutcomeUnknown,
        ClaimOutcome.Unreadable => IdempotencyProblem.RecordUnreadable,
        _ => IdempotencyProblem.StoreUnavailable,
    };

    /// <summary>The decision for a completed record: a replay if the request is the same, otherwise a rejection.</summary>
    public static ClaimDecision Of(CompletedRecord record, Fingerprint fingerprint) => record.Fingerprint == fingerprint
        ? new ClaimDecision(ClaimOutcome.Completed, Record: record)
        : new ClaimDecision(ClaimOutcome.Reused);
}
