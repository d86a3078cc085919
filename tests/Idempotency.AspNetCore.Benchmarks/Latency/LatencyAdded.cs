namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What a request waits for when a server has plenty to spare: requests at a fixed rate, whether or not earlier ones are answered, with the library and without.</summary>
internal static class LatencyAdded
{
    private const double PartOfCapacity = 0.3;
    private const int Connections = 64;

    private const int MostStretch = 4;

    public static async Task RunAsync(Arguments arguments)
    {
        var page = new Page(arguments.IsWritten);
        var rounds = (int)arguments.Number("--rounds", 4);
        var seconds = arguments.Number("--seconds", 1);
        Console.WriteLine(Machine.Description);
        using var redis = RedisProcess.TryStart();
        using var dynamo = await DynamoDBProcess.TryStartAsync();
        using var load = LoadProcess.Start();
        List<LatencyGroup> groups = [GroupOf("in memory", "", new ServerSpec { IsProtected = true })];
        if (redis is not null)
        {
            groups.Add(GroupOf("Redis", "/redis", new ServerSpec { IsProtected = true, Store = StoreKind.Redis, StorePort = redis.Port }));
        }

        if (dynamo is not null)
        {
            groups.Add(GroupOf("DynamoDB Local", "/dynamo", new ServerSpec { IsProtected = true, Store = StoreKind.DynamoDB, StorePort = dynamo.Port }));
        }

        groups.RemoveAll(group => !arguments.Wants(group.Store));
        foreach (var group in groups)
        {
            await MeasureAsync(load, group, rounds, seconds);
        }

        const string Picture = "![Latency of each kind of request, on each store](latency.svg)";
        page.Add("latency", arguments.CommandLine, $"{rounds} rounds, {Connections} connections.\n\n{RatesOf(groups)}\n\n{Picture}\n\n{TableOf(groups)}");
        if (page.IsWritten)
        {
            await File.WriteAllTextAsync(Path.Combine(Page.Folder, "latency.svg"), LatencyChart.Of(groups));
        }
    }

    /// <param name="store">The store.</param>
    /// <param name="twoCalls">The endpoint without the library that makes two bare calls to the store's server; empty where there is no server.</param>
    /// <param name="spec">The server with the library.</param>
    private static LatencyGroup GroupOf(string store, string twoCalls, ServerSpec spec)
    {
        var server = new ServerProcess(spec);
        var cold = new ServerProcess(spec with { WithoutLocalCache = true });
        var bare = new ServerProcess(spec with { IsProtected = false });
        List<Variant> variants = [new(LatencyGroup.Bare, null, bare, "/pay", KeyKind.OneForEach)];
        if (twoCalls.Length > 0)
        {
            variants.Add(new("two bare calls of the store's server", null, bare, twoCalls, KeyKind.OneForEach));
        }

        variants.Add(new(Variants.First, null, server, "/pay", KeyKind.OneForEach));
        variants.Add(new("replay from the store", null, cold, "/pay", KeyKind.OneForAll));
        variants.Add(new(Variants.Warm, null, server, "/pay", KeyKind.OneForAll));
        return new LatencyGroup(store, variants);
    }

    private static async Task MeasureAsync(LoadProcess load, LatencyGroup group, int rounds, double seconds)
    {
        var order = new Random(1);
        for (var round = 0; round < rounds; round++)
        {
            await Comparison.RestartAsync(load, group.Variants);
            if (round == 0)
            {
                foreach (var variant in group.Variants)
                {
                    var capacity = (await variant.RunAsync(load, Connections, seconds)).Load.RequestsPerSecond;
                    (group.Slowest, group.Capacity) = group.Slowest is null || capacity < group.Capacity ? (variant, capacity) : (group.Slowest, group.Capacity);
                }

                group.Rate = PartOfCapacity * group.Capacity;
            }

            var shuffled = group.Variants.ToArray();
            order.Shuffle(shuffled);
            foreach (var variant in shuffled)
            {
                Console.Error.Write($"\r{round + 1}/{rounds} {group.Store}: {variant.Name,-40}");
                variant.Samples.Add(await variant.RunAsync(load, Connections, Math.Min(MostStretch * seconds, Math.Max(seconds, 1.1 * LatencyGroup.LeastRequests / group.Rate)), group.Rate));
            }
        }

        Console.Error.WriteLine();
        group.Variants.Select(variant => variant.Server).Distinct().ToList().ForEach(server => server.Dispose());
    }

    private static string RatesOf(List<LatencyGroup> groups) => string.Join('\n', groups.Select(group =>
        $"- {group.Store}: {group.Rate:N0} requests/s, {PartOfCapacity:P0} of the {group.Capacity:N0} that the slowest can ({group.Slowest!.Name}); "
        + $"{group.RequestsPerRound:N0} requests of each kind in a round."));

    private static string TableOf(List<LatencyGroup> groups)
    {
        var table = new Table("store", "request", "p50", "p99", "p99.9", "added at p50", "added at p99", "added at p99.9");
        foreach (var group in groups)
        {
            var percentiles = group.HasSlowestThousandth ? LatencyGroup.Percentiles : LatencyGroup.Percentiles[..^1];
            string[] tooFew = group.HasSlowestThousandth ? [] : ["-"];
            foreach (var variant in group.Variants)
            {
                table.Add([
                    group.Store,
                    variant.Name,
                    .. percentiles.Select(percentile => $"{variant.Median(sample => percentile(sample.Load)):F2} ms"),
                    .. tooFew,
                    .. percentiles.Select(percentile => variant.Name == LatencyGroup.Bare ? "" : Text(group.Added(variant, percentile))),
                    .. tooFew,
                ]);
            }
        }

        return table.ToString();
    }

    private static string Text(Spread milliseconds) => $"{milliseconds.Median:F2} ms ({milliseconds.Least:F2} to {milliseconds.Most:F2})";
}
