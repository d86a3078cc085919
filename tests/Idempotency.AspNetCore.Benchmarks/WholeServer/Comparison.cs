namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>
/// Runs variants in rounds of short slots, each between two slots of its own baseline (bare, first, bare, replay, bare, …), in another order in
/// every round: what a noisy neighbour takes, it takes from both sides of a ratio, and what it does not is seen in the spread. A variant's floor runs
/// next to it, before it in one round and after it in the next. Every few rounds all servers are restarted: a process settles in a way of its own.
/// </summary>
internal static class Comparison
{
    // A server is warm when its compiler has little left to do: it counts the calls of a method, compiles it with instruments, and compiles it again with what those have seen. A few
    // requests are enough for that, and what takes its time is the compiler. So each kind of request gets a short turn in every pass, and servers compile while others have theirs.
    private const double WarmUpSeconds = 0.05;
    private const int FewMethods = 20;
    private const int LeastWarmUpPasses = 5;
    private const int MostWarmUpPasses = 20;
    private const int WarmUpConnections = 64; // enough that what runs once for each connection is compiled too

    /// <param name="load">What sends the load.</param>
    /// <param name="parts">What is compared.</param>
    /// <param name="rounds">How many rounds, in all processes together.</param>
    /// <param name="roundsPerProcess">After how many of them all servers are restarted.</param>
    /// <param name="seconds">The length of a slot.</param>
    public static async Task RunAsync(LoadProcess load, IReadOnlyList<Part> parts, int rounds, int roundsPerProcess, double seconds)
    {
        var order = new Random(1);
        for (var round = 0; round < rounds; round++)
        {
            if (round % roundsPerProcess == 0)
            {
                await RestartAsync(load, [.. parts.SelectMany(part => part.Variants)]);
            }

            foreach (var part in parts)
            {
                Console.Error.Write($"\r{round + 1}/{rounds}{"",-60}");
                await RunRoundAsync(load, part, round, round / roundsPerProcess, seconds, order);
            }
        }

        Console.Error.WriteLine();
    }

    public static string TableOf(IEnumerable<Variant> variants)
    {
        var table = new Table(
            "variant", "baseline", "throughput", "quartiles", "least to most", "processor time", "requests/s", "p50", "p99", "processor time/request", "bytes/request");
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

    /// <summary>How far processes differ, in a sentence.</summary>
    public static string SpreadOf(IEnumerable<Variant> variants)
    {
        var compared = variants.Where(variant => variant.Slots.Count > 0).ToList();
        var processes = compared.SelectMany(variant => variant.Slots).Select(slot => slot.Process).Distinct().Count();
        if (processes < 2)
        {
            return "One process for each server, so the spread between processes is not known.";
        }

        static double Width(Spread spread) => (spread.Most - spread.Least) / spread.Median;
        var widths = Spread.Of(compared.Select(variant => Width(variant.Throughput)));
        var widest = compared.MaxBy(variant => Width(variant.Throughput))!;
        var rounds = compared.All(variant => variant.Slots.Count == processes)
            ? ""
            : $" Single rounds differ by {Spread.Of(compared.Select(variant => Width(variant.Rounds))).Median:P0}.";
        return $"{processes} processes for each server, one after the other. From the least to the greatest of the processes, a throughput ratio differs by {widths.Median:P0} "
            + $"(the median of the rows; at most {widths.Most:P0}, *{widest.Name}*).{rounds}";
    }

    /// <summary>Gives each server a new process, and warms it up.</summary>
    public static async Task RestartAsync(LoadProcess load, IReadOnlyList<Variant> variants)
    {
        var servers = variants.Select(variant => variant.Server).Distinct().ToList();
        servers.ForEach(server => server.Stop());
        await Task.WhenAll(servers.Select(server => server.PortAsync().AsTask()));
        var (compiled, before) = (0L, 0L);
        for (var pass = 1; pass <= LeastWarmUpPasses || (pass <= MostWarmUpPasses && compiled - before > FewMethods * servers.Count); pass++)
        {
            foreach (var variant in variants.DistinctBy(variant => variant.Kind))
            {
                Console.Error.Write($"\rwarming up: {variant.Name,-50}");
                await variant.RunAsync(load, WarmUpConnections, WarmUpSeconds);
            }

            before = compiled;
            compiled = (await Task.WhenAll(servers.Select(server => server.AskAsync<Counters>(ServerQuestion.Counters)))).Sum(counters => counters.CompiledMethods);
        }
    }

    private static async Task RunRoundAsync(LoadProcess load, Part part, int round, int process, double seconds, Random order)
    {
        var floors = part.Variants.Select(variant => variant.Floor).ToHashSet();
        foreach (var group in part.Variants.Where(variant => variant.Baseline is not null && !floors.Contains(variant)).GroupBy(variant => variant.Baseline!))
        {
            var members = group.ToArray();
            order.Shuffle(members);
            var before = await group.Key.RunAsync(load, part.Connections, seconds);
            foreach (var variant in members)
            {
                var floor = round % 2 == 0 ? await RunFloorAsync(variant) : null;
                var own = await variant.RunAsync(load, part.Connections, seconds);
                floor ??= await RunFloorAsync(variant);
                var after = await group.Key.RunAsync(load, part.Connections, seconds);
                variant.Add(new Slot(process, own, before, after, floor));
                if (floor is not null)
                {
                    variant.Floor!.Add(new Slot(process, floor, before, after, null));
                }

                if (group.Key.Baseline is null)
                {
                    group.Key.Samples.Add(after);
                }

                before = after;
            }
        }

        async Task<Sample?> RunFloorAsync(Variant variant) => variant.Floor is { } floor ? await floor.RunAsync(load, part.Connections, seconds) : null;
    }
}
