namespace Idempotency.Http;

/// <summary>What an answer says about idempotency.</summary>
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

    /// <summary>The key the request was sent with, unquoted; null when it was sent without one.</summary>
    public string? Key { get; }

    /// <summary>Whether the answer was given before, and nothing was carried out for this request (<c>Idempotent-Replayed: true</c>).</summary>
    public bool WasReplayed { get; }

    /// <summary>
    /// Whether the server says that it could not record the answer (<c>Idempotency-Stored: false</c>): the request was carried out, and the same one with the same
    /// key may be carried out again.
    /// </summary>
    public bool NotStored { get; }

    /// <summary>
    /// The <c>code</c> of a problem (RFC 9457), or else what follows <c>urn:problem-type:</c> in its type: one of <see cref="IdempotencyProblemCodes"/>, or the
    /// application's own. Null when the answer is no problem, or one without either.
    /// </summary>
    public string? ProblemCode { get; }

    /// <summary>What to do now.</summary>
    public IdempotencyRetryAdvice Advice { get; }

    /// <summary>
    /// How long the server asks to wait (<c>Retry-After</c>, RFC 9110 section 10.2.3), never less than zero; null when it does not say. A date is read by the
    /// server's own clock if the answer tells it (<c>Date</c>).
    /// </summary>
    public TimeSpan? RetryAfter { get; }
}
