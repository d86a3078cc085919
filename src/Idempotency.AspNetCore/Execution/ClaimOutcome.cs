namespace Idempotency.AspNetCore;

/// <summary>The states in which a request finds its key.</summary>
internal enum ClaimOutcome
{
    /// <summary>The key is ours, and the handler runs.</summary>
    Acquired,

    /// <summary>The same request has completed.</summary>
    Completed,

    /// <summary>A different request has the key, running or completed.</summary>
    Reused,

    /// <summary>The same request is still running.</summary>
    InProgress,

    /// <summary>The same request was abandoned, and may not run again.</summary>
    OutcomeUnknown,

    /// <summary>The store could not be reached.</summary>
    StoreUnavailable,

    /// <summary>There is a record that cannot be read.</summary>
    Unreadable,
}
