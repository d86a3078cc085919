namespace Idempotency.AspNetCore;

/// <summary>The response headers by which the library marks answers. To read them from a script on another origin, expose them with CORS.</summary>
public static class IdempotencyHeaders
{
    /// <summary><c>Idempotent-Replayed: true</c>: the answer was given before, and the handler did not run for this request.</summary>
    public const string Replayed = "Idempotent-Replayed";

    /// <summary>
    /// <c>Idempotency-Stored: false</c>: the handler ran, but its answer could not be recorded (or protection was waived because the store
    /// was away): a retry may run again.
    /// </summary>
    public const string Stored = "Idempotency-Stored";
}
