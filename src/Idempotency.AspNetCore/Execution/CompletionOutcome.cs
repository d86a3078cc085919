namespace Idempotency.AspNetCore;

/// <summary>How a run can end for its record.</summary>
internal enum CompletionOutcome
{
    /// <summary>The response is recorded.</summary>
    Recorded,

    /// <summary>The response is of a kind that is not recorded, and the key is free again.</summary>
    Released,

    /// <summary>A step could not be recorded or recalled, and the handler ended with that; the key is free again for an attempt that goes on from there.</summary>
    StepFailed,

    /// <summary>The claim had been abandoned and another attempt has the key: its response counts, and ours must not be sent.</summary>
    Superseded,

    /// <summary>The store could not be reached, or the key belongs to a different request by now: the response is sent, marked as not recorded.</summary>
    NotRecorded,

    /// <summary>The database undid the transaction of the run in favour of another. Nothing is done, and the run may be repeated.</summary>
    Conflict,

    /// <summary>The transaction of the run was not begun, or not committed. Nothing is done, and the key is free again.</summary>
    Undone,

    /// <summary>It is not known at the moment whether the transaction of the run was committed. The record will tell: there is one exactly when there is an effect.</summary>
    Unknown,
}
