namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Real servers under load. What counts is the ratio to the baseline that ran next to it, and its spread over the rounds.</summary>
internal static class WholeServer
{
    private const int RoundsPerProcess = 2;

    public static async Task RunAsync(Arguments arguments)
    {
        var page = new Page(arguments.IsWritten);
        var rounds = (int)arguments.Number("--rounds", 10);
        var seconds = arguments.Number("--seconds", 0.4);
        var connections = (int)arguments.Number("--connections", 16);
        Console.WriteLine(Machine.Description);
        using var redis = RedisProcess.TryStart();
        using var dynamo = await DynamoDBProcess.TryStartAsync();
        using var load = LoadProcess.Start();

        var variants = Chosen(Variants.All(redis, dynamo), arguments);
        if (variants.Count > 0)
        {
            await Comparison.RunAsync(load, [new Part(variants, connections)], rounds, RoundsPerProcess, seconds);
            page.Add(
                "server",
                arguments.CommandLine,
                $"{rounds} rounds, slots of {seconds} s, {connections} connections. {Comparison.SpreadOf(variants)}\n\n{Comparison.TableOf(variants)}");
        }

        if (page.IsWritten)
        {
            await File.WriteAllTextAsync(Path.Combine(Page.Folder, "whole-server.svg"), Chart.Of([.. variants.Where(variant => variant.Baseline is not null)]));
        }

        if (arguments.Wants("contention"))
        {
            page.Add("contention", arguments.CommandLine, await Contention.RunAsync(load, redis, seconds * 5));
        }

        if (arguments.Wants("goals"))
        {
            var roundTrips = await RoundTrips.CountAsync(redis, dynamo);
            page.Add("round-trips", arguments.CommandLine, RoundTrips.TableOf(roundTrips));
            page.Add("goals", arguments.CommandLine, new Goals(variants, roundTrips).Table());
        }
    }

    /// <summary>What was asked for, with the baselines it needs.</summary>
    private static List<Variant> Chosen(List<Variant> all, Arguments arguments)
    {
        var chosen = all.Where(variant => arguments.Wants(variant.Name)).ToHashSet();
        foreach (var variant in chosen.ToList())
        {
            for (var baseline = variant.Baseline; baseline is not null; baseline = baseline.Baseline)
            {
                chosen.Add(baseline);
            }
        }

        return [.. all.Where(chosen.Contains)];
    }
}
