namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>
/// Runs variants in rounds of short slots, each between two slots of its own baseline (bare, first, bare, replay, bare, …), in another order in
/// every round: what a noisy neighbour takes, it takes from both sides of a ratio, and what it does not is seen in the spread.
/// </summary>
internal static class Comparison
{
    /// <summary>Until everything is compiled with what the compiler has learnt, in seconds: it takes its time when the processors are busy.</summary>
    public const double WarmUp = 3;

    public static async Task RunAsync(LoadProcess load, IReadOnlyList<Variant> variants, int rounds, int connections, double seconds)
    {
        foreach (var variant in variants)
        {
            Console.Error.Write($"\r{variant.Name,-48}");
            await variant.RunAsync(load, connections, WarmUp);
        }

        var order = new Random(1);
        for (var round = 0; round < rounds; round++)
        {
            foreach (var group in variants.Where(variant => variant.Baseline is not null).GroupBy(variant => variant.Baseline!))
            {
                var members = group.ToArray();
                order.Shuffle(members);
                var before = await group.Key.RunAsync(load, connections, seconds);
                foreach (var variant in members)
                {
                    Console.Error.Write($"\r{round + 1}/{rounds} {variant.Name,-40}");
                    var own = await variant.RunAsync(load, connections, seconds);
                    var after = await group.Key.RunAsync(load, connections, seconds);
                    variant.Samples.Add(own);
                    variant.Baselines.Add((before, after));
                    if (group.Key.Baseline is null)
                    {
                        group.Key.Samples.Add(after);
                    }

                    before = after;
                }
            }
        }

        Console.Error.WriteLine();
    }

    public static string TableOf(IEnumerable<Variant> variants)
    {
        var table = new Table(
            "variant", "baseline", "throughput (median)", "quartiles", "least to most", "processor time", "requests/s", "p50", "p99", "processor time/request", "bytes/request");
        foreach (var variant in variants)
        {
            var ratio = variant.Throughput;
            string[] ratios = variant.Baseline is { } baseline
                ? [baseline.Name, $"**{ratio.Median:F2}**", $"{ratio.Lower:F2} to {ratio.Upper:F2}", $"{ratio.Least:F2} to {ratio.Most:F2}", $"{variant.ProcessorTime.Median:F2}"]
                : ["", "", "", "", ""];
            table.Add([
                variant.Name,
                .. ratios,
                $"{variant.Median(sample => sample.Load.RequestsPerSecond):F0}",
                $"{variant.Median(sample => sample.Load.MedianMilliseconds):F2} ms",
                $"{variant.Median(sample => sample.Load.P99Milliseconds):F2} ms",
                $"{variant.Median(sample => sample.MicrosecondsPerRequest):F1} µs",
                $"{variant.Median(sample => sample.BytesPerRequest):F0}",
            ]);
        }

        return table.ToString();
    }
}
