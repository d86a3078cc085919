namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Bodies up to the limit, as large in the answer as in the request.</summary>
internal static class BodyGrowth
{
    private const int Connections = 8;

    public static async Task<string> RunAsync(LoadProcess load, int rounds, double seconds, GrowthGoals goals)
    {
        var table = new Table(
            "body", "request", "throughput", "quartiles", "to its floor", "quartiles", "processor time", "requests/s", "MB/s, both ways", "p99", "processor time/request", "bytes/request");
        var all = new List<Variant>();
        foreach (var size in (int[])[100, 1_000, 10_000, 100_000, 1_000_000])
        {
            // First executions are kept for a moment only: a second of a million bytes each would fill any store.
            var bareSpec = new ServerSpec { IsProtected = false };
            using var bareServer = new ServerProcess(bareSpec);
            using var server = new ServerProcess(new ServerSpec { IsProtected = true, Retention = TimeSpan.FromSeconds(2) });
            using var lasting = new ServerProcess(new ServerSpec { IsProtected = true });
            using var bones = new ServerProcess(bareSpec with { HasBareBones = true });
            using var lastingBones = new ServerProcess(bareSpec with { HasBareBones = true });
            using var fixedServer = new ServerProcess(bareSpec with { AnswerSize = size });
            var variants = VariantsOf(bareServer, server, lasting, bones, lastingBones, fixedServer, Payment.BodyOf(size));
            await Comparison.RunAsync(load, [new Part(variants, Connections)], rounds, Growth.RoundsPerProcess, seconds);
            foreach (var variant in variants)
            {
                var perSecond = variant.Median(sample => sample.Load.RequestsPerSecond);
                table.Add([
                    $"{size:N0} B",
                    variant.Name,
                    .. Growth.RatiosOf(variant),
                    $"{perSecond:F0}",
                    $"{2 * size * perSecond / 1e6:F0}",
                    $"{variant.Median(sample => sample.Load.P99Milliseconds):F2} ms",
                    $"{variant.Median(sample => sample.MicrosecondsPerRequest):F1} µs",
                    $"{variant.Median(sample => sample.BytesPerRequest):F0}",
                ]);
            }

            goals.Add($"{size:N0} B", variants, leastOfFirst: size > 10_000 ? 0.7 : 0.85);
            all.AddRange(variants);
        }

        return $"{Connections} connections; ratios to the bare endpoint with the same body. {Comparison.SpreadOf(all)}\n\n{table}";
    }

    /// <summary>The rows of one size, or of one number of connections.</summary>
    public static Variant[] VariantsOf(
        ServerProcess bareServer, ServerProcess server, ServerProcess lasting, ServerProcess bones, ServerProcess lastingBones, ServerProcess fixedServer, string body)
    {
        var bare = new Variant("bare", null, bareServer, "/pay", KeyKind.OneForEach) { Body = body };
        var firstFloor = new Variant(Variants.BareBones, bare, bones, "/pay", KeyKind.OneForEach) { Body = body };
        var warmFloor = new Variant(Variants.BareBonesReplay, bare, lastingBones, "/pay", KeyKind.OneForAll) { Body = body };
        return
        [
            bare,
            new(Variants.First, bare, server, "/pay", KeyKind.OneForEach) { Body = body, Floor = firstFloor },
            firstFloor,
            new(Variants.Warm, bare, lasting, "/pay", KeyKind.OneForAll) { Body = body, Floor = warmFloor },
            warmFloor,
            new(Variants.Fixed, bare, fixedServer, "/fixed", KeyKind.OneForEach) { Body = body },
        ];
    }
}
