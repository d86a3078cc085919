namespace Idempotency.AspNetCore;

/// <summary>The state of the key when a request claims it.</summary>
internal enum ClaimOutcome
{
    /// <summary>The claim is ours, and the handler runs.</summary>
    Acquired,

    /// <summary>The same request has completed.</summary>
    Completed,

    /// <summary>A different request has the key, running or completed.</summary>
    Reused,

    /// <summary>The same request is still running.</summary>
    InProgress,

    /// <summary>The same request was abandoned and must not run again.</summary>
    OutcomeUnknown,

    /// <summary>The store could not be reached.</summary>
    StoreUnavailable,

    /// <summary>The record exists but cannot be read.</summary>
    Unreadable,
}
