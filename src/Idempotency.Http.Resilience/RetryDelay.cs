namespace Idempotency.Http;

/// <summary>How long to wait before a request is sent again.</summary>
/// <remarks>
/// A server's <c>Retry-After</c> is waited for in full, and up to a quarter of it on top, at random: clients that were told the same moment shall not all come at it.
/// </remarks>
internal static class RetryDelay
{
    /// <summary>What Idempotency.AspNetCore asks for; also the pace where a server asks for none, as these retries have no other limit than time.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    /// <summary>What the server asks for; null when it does not, and the pipeline's own backoff decides.</summary>
    public static TimeSpan? Asked(HttpResponseMessage? response, TimeProvider time) =>
        response is not null && RetryAfter.Of(response, time) is { } asked ? Spread(asked) : null;

    /// <summary>The wait for a request in progress.</summary>
    public static TimeSpan InProgress(HttpResponseMessage response, TimeProvider time) =>
        Spread(RetryAfter.Of(response, time) is { } asked && asked > TimeSpan.Zero ? asked : Pace);

    private static TimeSpan Spread(TimeSpan asked) => asked < TimeSpan.FromDays(1) ? asked * (1 + (Random.Shared.NextDouble() / 4)) : asked;
}
