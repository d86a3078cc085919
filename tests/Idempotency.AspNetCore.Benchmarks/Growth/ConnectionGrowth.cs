namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Ever more connections, each with a request under way.</summary>
internal static class ConnectionGrowth
{
    public static async Task<string> RunAsync(LoadProcess load, int rounds, double seconds)
    {
        using var bareServer = new ServerProcess(new ServerSpec { IsProtected = false });
        using var server = new ServerProcess(new ServerSpec { IsProtected = true });
        var table = new Table("connections", "request", "throughput", "quartiles", "processor time", "requests/s", "p50", "p99", "processor time/request");
        foreach (var connections in (int[])[1, 16, 128, 1000])
        {
            var bare = new Variant("bare", null, bareServer, "/pay", KeyKind.OneForEach);
            Variant[] variants =
            [
                bare,
                new(Variants.First, bare, server, "/pay", KeyKind.OneForEach),
                new(Variants.Warm, bare, server, "/pay", KeyKind.OneForAll),
            ];
            await Comparison.RunAsync(load, variants, rounds, connections, seconds);
            foreach (var variant in variants)
            {
                var ratio = variant.Throughput;
                table.Add(
                    $"{connections:N0}",
                    variant.Name,
                    variant.Baseline is null ? "" : $"**{ratio.Median:F2}**",
                    variant.Baseline is null ? "" : $"{ratio.Lower:F2} to {ratio.Upper:F2}",
                    variant.Baseline is null ? "" : $"{variant.ProcessorTime.Median:F2}",
                    $"{variant.Median(sample => sample.Load.RequestsPerSecond):F0}",
                    $"{variant.Median(sample => sample.Load.MedianMilliseconds):F2} ms",
                    $"{variant.Median(sample => sample.Load.P99Milliseconds):F2} ms",
                    $"{variant.Median(sample => sample.MicrosecondsPerRequest):F1} µs");
            }
        }

        return $"Ratios to the bare endpoint with as many connections.\n\n{table}";
    }
}
