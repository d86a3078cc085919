namespace Idempotency.Http;

/// <summary>The delay before a request is sent again.</summary>
/// <remarks>
/// A server's <c>Retry-After</c> is honored, plus a random delay of up to a quarter of it, so that clients with the same time do not all retry at once.
/// </remarks>
internal static class RetryDelay
{
    /// <summary>The delay that Idempotency.AspNetCore asks for. It is also used if a server asks for none, because only time limits these retries.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    /// <summary>The delay that the server asks for; null if it does not, and the pipeline's own backoff decides.</summary>
    public static TimeSpan? Asked(HttpResponseMessage? response, TimeProvider time) =>
        response is not null && RetryAfter.Of(response, time) is { } asked ? Spread(asked) : null;

    /// <summary>The delay for a request in progress.</summary>
    public static TimeSpan InProgress(HttpResponseMessage response, TimeProvider time) =>
        Spread(RetryAfter.Of(response, time) is { } asked && asked > TimeSpan.Zero ? asked : Pace);

    private static TimeSpan Spread(TimeSpan asked) => asked < TimeSpan.FromDays(1) ? asked * (1 + (Random.Shared.NextDouble() / 4)) : asked;
}
