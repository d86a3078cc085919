using System.Globalization;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>The promises G1 to G8, in worlds without a real clock, network or thread pool. What goes wrong there is drawn from a seed.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    /// <summary>
    /// Seeds that once failed, or nearly: what they found stays found. A seed names a world only as long as worlds are drawn as they are; a change there keeps the list, and what it found
    /// has a test of its own beside it.
    /// </summary>
    public static TheoryData<ulong> OldSeeds =>
    [
        154, // a completion that was confirmed late was replayed from the cache past its retention
        1000016350, // a response that could not be recorded although its claim was kept, which its client was told
        1591, // two attempts in a row with the same number, after one that was released with its steps
        26412, // and with a number too high, after the record that it followed was deleted
        2804, // a client that was told of an unknown outcome, and no step had begun: the claim was lost while steps ran at the same time
        5031, // a mark that was removed, by the step that had set it, after others had seen it on a claim that had lapsed
        2000004416, // the mark of a run goes with the record that an operator deletes
        6014145799134697210, // an operator deletes the record of a run that goes on and records its response again
        5659703798261847281, // a save of steps that arrives after that
        632640870602187922, // a response that could not be recorded was replayed after an operator's delete, although the next run had one that was
    ];

    public static TheoryData<string> SmallWorlds => [.. SmallWorldCatalog.All.Select(static small => small.Name)];

    [Theory]
    [MemberData(nameof(OldSeeds))]
    public void A_seed_that_once_failed_keeps_every_promise(ulong seed)
    {
        foreach (var plan in new[] { WorldPlan.Of(seed), WorldPlan.Of(seed).ThatHasNoSteps() })
        {
            var result = Simulator.Run(plan);
            Assert.True(result.Violation is null, result.Violation is null ? "" : Simulator.Describe(result));
        }
    }

    [Fact]
    public void Fresh_seeds_keep_every_promise()
    {
        var seed = ulong.TryParse(Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_SEED"), CultureInfo.InvariantCulture, out var given) ? given : (ulong)Random.Shared.NextInt64();
        var seconds = int.TryParse(Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_SECONDS"), CultureInfo.InvariantCulture, out var wanted) ? wanted : 20;
        output.WriteLine($"seed {seed}");
        var (totals, failed) = Simulator.RunMany(seed, TimeSpan.FromSeconds(seconds));
        output.WriteLine(totals.ToString());
        output.WriteLine(totals.FaultsByKind());
        Assert.True(failed is null, failed is null ? "" : Simulator.Describe(failed));
    }

    [Theory]
    [MemberData(nameof(SmallWorlds))]
    public void Every_history_of_a_small_world_keeps_every_promise(string name)
    {
        var (histories, failed) = SmallWorldCatalog.All.Single(small => small.Name == name).Explore();
        output.WriteLine($"{histories} histories");
        Assert.True(failed is null, $"{failed?.Violation}{Environment.NewLine}{failed?.Timeline}");
        Assert.True(histories > 10, "Nothing met anything.");
    }

    [Fact]
    public void The_same_seed_makes_the_same_history()
    {
        for (var seed = 1ul; seed <= 60; seed++)
        {
            var first = Simulator.Run(WorldPlan.Of(seed));
            var second = Simulator.Run(WorldPlan.Of(seed), isTold: true); // being told changes nothing
            Assert.Equal((first.History, first.Operations, first.Events, first.Runs), (second.History, second.Operations, second.Events, second.Runs));
            Assert.Equal(first.Faults, second.Faults);
        }
    }

    [Fact]
    public void Different_seeds_make_different_histories()
    {
        var histories = Enumerable.Range(1, 60).Select(static seed => Simulator.Run(WorldPlan.Of((ulong)seed)).History).ToHashSet();
        Assert.Equal(60, histories.Count);
    }

    [Fact]
    public void Handlers_and_functions_resume_from_steps()
    {
        var told = string.Concat(Enumerable.Range(1, 60).Select(static seed => Simulator.Run(WorldPlan.Of((ulong)seed) with { Steps = 900_000, Calls = 300_000 }, isTold: true).Timeline));
        Assert.Contains("recalls the result of work", told, StringComparison.Ordinal);
        Assert.Matches(@"starts for request \d+ \(key \d/\d+ of calls, payment \d+\) under", told);
        Assert.Contains("idempotency-outcome-unknown", told, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_kind_of_fault_happens()
    {
        var kinds = Enumerable.Range(1, 300).SelectMany(static seed => Simulator.Run(WorldPlan.Of((ulong)seed)).Faults).Select(static fault => fault.Kind).ToHashSet();
        Assert.Equal(Enum.GetValues<FaultKind>().Order(), kinds.Order());
    }
}
