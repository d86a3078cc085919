namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Ever more connections, each with a request under way.</summary>
internal static class ConnectionGrowth
{
    public static async Task<string> RunAsync(LoadProcess load, int rounds, double seconds, GrowthGoals goals)
    {
        var bareSpec = new ServerSpec { IsProtected = false };
        using var bareServer = new ServerProcess(bareSpec);
        using var server = new ServerProcess(new ServerSpec { IsProtected = true });
        using var lasting = new ServerProcess(new ServerSpec { IsProtected = true });
        using var bones = new ServerProcess(bareSpec with { HasBareBones = true });
        using var lastingBones = new ServerProcess(bareSpec with { HasBareBones = true });
        using var fixedServer = new ServerProcess(bareSpec);
        List<Part> parts = [.. ((int[])[1, 16, 128, 1000]).Select(connections =>
            new Part(BodyGrowth.VariantsOf(bareServer, server, lasting, bones, lastingBones, fixedServer, Payment.SmallBody), connections))];
        await Comparison.RunAsync(load, parts, rounds, Growth.RoundsPerProcess, seconds);

        var table = new Table("connections", "request", "throughput", "quartiles", "to its floor", "quartiles", "processor time", "requests/s", "p50", "p99", "processor time/request");
        foreach (var (variants, connections) in parts)
        {
            foreach (var variant in variants)
            {
                table.Add([
                    $"{connections:N0}",
                    variant.Name,
                    .. Growth.RatiosOf(variant),
                    $"{variant.Median(sample => sample.Load.RequestsPerSecond):F0}",
                    $"{variant.Median(sample => sample.Load.MedianMilliseconds):F2} ms",
                    $"{variant.Median(sample => sample.Load.P99Milliseconds):F2} ms",
                    $"{variant.Median(sample => sample.MicrosecondsPerRequest):F1} µs",
                ]);
            }

            goals.Add($"{connections:N0} connection{(connections == 1 ? "" : "s")}", variants, leastOfFirst: 0.85);
        }

        return $"Ratios to the bare endpoint with as many connections. {Comparison.SpreadOf(parts.SelectMany(part => part.Variants))}\n\n{table}";
    }
}
