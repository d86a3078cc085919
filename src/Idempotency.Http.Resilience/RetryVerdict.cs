namespace Idempotency.Http;

/// <summary>What follows the outcome of an attempt.</summary>
internal enum RetryVerdict
{
    /// <summary>Nothing: it is the caller's.</summary>
    Final,

    /// <summary>Another attempt, which may succeed where this one failed.</summary>
    Retry,

    /// <summary>The same question again, later: the request is being carried out.</summary>
    InProgress,
}
