namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Bodies up to the limit, as large in the answer as in the request.</summary>
internal static class BodyGrowth
{
    private const int Connections = 8;

    /// <summary>Text that compresses as text does, to about two thirds.</summary>
    public static string Text(int length)
    {
        var random = new Random(1);
        return string.Create(length, random, static (text, random) =>
        {
            for (var i = 0; i < text.Length; i++)
            {
                text[i] = "etaoinshrdlucmfwypvbgkjqxz 0123456789"[random.Next(37)];
            }
        });
    }

    public static async Task<string> RunAsync(LoadProcess load, int rounds, double seconds)
    {
        var table = new Table("body", "request", "throughput", "quartiles", "processor time", "requests/s", "MB/s, both ways", "p99", "processor time/request", "bytes/request");
        foreach (var size in (int[])[100, 1_000, 10_000, 100_000, 1_000_000])
        {
            // Kept for a moment only: a second of a million bytes each would fill any store.
            using var bareServer = new ServerProcess(new ServerSpec { IsProtected = false });
            using var server = new ServerProcess(new ServerSpec { IsProtected = true, Retention = TimeSpan.FromSeconds(2) });
            using var lasting = new ServerProcess(new ServerSpec { IsProtected = true });
            var body = $$"""{"name":"{{Text(size - 27)}}","amount":12.5}""";
            var bare = new Variant("bare", null, bareServer, "/pay", KeyKind.OneForEach) { Body = body };
            Variant[] variants =
            [
                bare,
                new("first execution", bare, server, "/pay", KeyKind.OneForEach) { Body = body },
                new("warm replay", bare, lasting, "/pay", KeyKind.OneForAll) { Body = body },
            ];
            await Comparison.RunAsync(load, variants, rounds, Connections, seconds);
            foreach (var variant in variants)
            {
                var perSecond = variant.Median(sample => sample.Load.RequestsPerSecond);
                var ratio = variant.Throughput;
                table.Add(
                    $"{size:N0} B",
                    variant.Name,
                    variant.Baseline is null ? "" : $"**{ratio.Median:F2}**",
                    variant.Baseline is null ? "" : $"{ratio.Lower:F2} to {ratio.Upper:F2}",
                    variant.Baseline is null ? "" : $"{variant.ProcessorTime.Median:F2}",
                    $"{perSecond:F0}",
                    $"{2 * size * perSecond / 1e6:F0}",
                    $"{variant.Median(sample => sample.Load.P99Milliseconds):F2} ms",
                    $"{variant.Median(sample => sample.MicrosecondsPerRequest):F1} µs",
                    $"{variant.Median(sample => sample.BytesPerRequest):F0}");
            }
        }

        return $"{Connections} connections; ratios to the bare endpoint with the same body.\n\n{table}";
    }
}
