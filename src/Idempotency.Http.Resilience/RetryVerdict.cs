namespace Idempotency.Http;

/// <summary>The action after an attempt.</summary>
internal enum RetryVerdict
{
    /// <summary>Return the outcome to the caller.</summary>
    Final,

    /// <summary>Try again; another attempt can succeed.</summary>
    Retry,

    /// <summary>Send the same request later: it is in progress.</summary>
    InProgress,
}
