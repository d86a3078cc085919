namespace Idempotency.Http;

/// <summary>What a client can do about an answer.</summary>
public enum IdempotencyRetryAdvice
{
    /// <summary>Nothing: the request succeeded, now or (if replayed) before.</summary>
    NotNeeded,

    /// <summary>
    /// Send the same request with the same key again, after <see cref="IdempotencyResult.RetryAfter"/> if there is one: it is not carried out a second time.
    /// </summary>
    SameKey,

    /// <summary>
    /// The request was refused and nothing was carried out. Repeating it changes nothing; once it is put right, it is another operation, with a key of its own.
    /// </summary>
    NewKey,

    /// <summary>Do not: another attempt cannot help, or might carry the request out a second time. Find out by other means what has become of it.</summary>
    No,
}
