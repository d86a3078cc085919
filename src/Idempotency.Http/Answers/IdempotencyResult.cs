namespace Idempotency.Http;

/// <summary>The idempotency information of a response.</summary>
public sealed class IdempotencyResult
{
    internal IdempotencyResult(string? key, bool wasReplayed, bool notStored, string? problemCode, IdempotencyRetryAdvice advice, TimeSpan? retryAfter)
    {
        Key = key;
        WasReplayed = wasReplayed;
        NotStored = notStored;
        ProblemCode = problemCode;
        Advice = advice;
        RetryAfter = retryAfter;
    }

    /// <summary>The key that the request was sent with, unquoted; null if it was sent without one.</summary>
    public string? Key { get; }

    /// <summary>Whether the response is a replay, and nothing ran for this request (<c>Idempotent-Replayed: true</c>).</summary>
    public bool WasReplayed { get; }

    /// <summary>
    /// Whether the server could not record the response (<c>Idempotency-Stored: false</c>): the request ran, and the same request with the same
    /// key may run again.
    /// </summary>
    public bool NotStored { get; }

    /// <summary>
    /// The <c>code</c> of a problem (RFC 9457), or the part of its type after <c>urn:problem-type:</c>: one of <see cref="IdempotencyProblemCodes"/>, or the
    /// application's own. Null if the response is not a problem, or has neither.
    /// </summary>
    public string? ProblemCode { get; }

    /// <summary>What the client can do next.</summary>
    public IdempotencyRetryAdvice Advice { get; }

    /// <summary>
    /// The delay that the server asks for (<c>Retry-After</c>, RFC 9110 section 10.2.3), never negative; null if there is none. A date is relative to the
    /// server's clock if the response contains it (<c>Date</c>).
    /// </summary>
    public TimeSpan? RetryAfter { get; }
}
