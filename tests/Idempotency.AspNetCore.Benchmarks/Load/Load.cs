namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What a load generator saw in its measured time.</summary>
/// <param name="Seconds">How long it was.</param>
/// <param name="Requests">How many requests were answered.</param>
/// <param name="MedianMilliseconds">The median latency.</param>
/// <param name="P99Milliseconds">The latency of the slowest hundredth.</param>
/// <param name="P999Milliseconds">The latency of the slowest thousandth.</param>
/// <param name="Statuses">How many answers had each status.</param>
/// <param name="Missing">How many answers did not contain what they must.</param>
/// <param name="Keys">How many fresh keys were sent, while the connections settled too.</param>
internal sealed record Load(double Seconds, long Requests, double MedianMilliseconds, double P99Milliseconds, double P999Milliseconds, Dictionary<int, long> Statuses, long Missing, long Keys)
{
    public double RequestsPerSecond => Requests / Seconds;

    public long Of(int status) => Statuses.GetValueOrDefault(status);
}
