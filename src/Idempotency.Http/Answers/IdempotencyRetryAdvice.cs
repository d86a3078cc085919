namespace Idempotency.Http;

/// <summary>What a client can do after a response.</summary>
public enum IdempotencyRetryAdvice
{
    /// <summary>Nothing: the request succeeded, now or (if it is a replay) earlier.</summary>
    NotNeeded,

    /// <summary>
    /// Send the same request with the same key again, after <see cref="IdempotencyResult.RetryAfter"/> if there is one. It does not run twice.
    /// </summary>
    SameKey,

    /// <summary>
    /// The request was rejected and did not run. A retry has the same result. Correct the request and send it with a new key.
    /// </summary>
    NewKey,

    /// <summary>Do not retry: a retry does not help, or could run the request a second time. Check whether the request took effect.</summary>
    No,
}
