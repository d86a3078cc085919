namespace Idempotency.AspNetCore;

/// <summary>The response headers that the library sets. To read them in a script from another origin, expose them with CORS.</summary>
public static class IdempotencyHeaders
{
    /// <summary><c>Idempotent-Replayed: true</c>: the response is a replay, and the handler did not run for this request.</summary>
    public const string Replayed = "Idempotent-Replayed";

    /// <summary>
    /// <c>Idempotency-Stored: false</c>: the handler ran, but its response could not be recorded (or it ran unprotected because the store
    /// was unavailable). A retry may run again.
    /// </summary>
    public const string Stored = "Idempotency-Stored";
}
