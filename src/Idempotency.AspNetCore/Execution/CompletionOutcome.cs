namespace Idempotency.AspNetCore;

/// <summary>The possible outcomes of a run with regard to its record.</summary>
internal enum CompletionOutcome
{
    /// <summary>The response is recorded.</summary>
    Recorded,

    /// <summary>The response is not one that is recorded, and the claim was released.</summary>
    Released,

    /// <summary>The handler failed because a step could not be recorded or recalled. The claim was released for an attempt that resumes from there.</summary>
    StepFailed,

    /// <summary>The claim was abandoned and another attempt has the key: the response of that attempt counts, and ours must not be sent.</summary>
    Superseded,

    /// <summary>The store is unavailable, or the key now belongs to a different request: the response is sent and marked as not recorded.</summary>
    NotRecorded,

    /// <summary>The database rolled back the transaction of the run because of a conflict. Nothing was changed, and the run can be repeated.</summary>
    Conflict,

    /// <summary>The transaction of the run was not started or not committed. Nothing was changed, and the claim was released.</summary>
    Undone,

    /// <summary>It is not known whether the transaction of the run was committed. The record shows it later: it exists exactly if the effect does.</summary>
    Unknown,
}
