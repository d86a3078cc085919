using System.Diagnostics;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>Runs worlds of seeds, and finds the shortest history of one that fails.</summary>
internal static class Simulator
{
    /// <summary>The argument for a world whose handlers have no steps and whose servers run no functions.</summary>
    public const string WithoutSteps = "--without-steps";

    private const int MostRepetitions = 400;

    /// <summary>Runs one world.</summary>
    public static WorldResult Run(WorldPlan plan, bool isTold = false)
    {
        SeededFaults? faults = null;
        using var world = new World(plan, new SeededChoices(plan.Seed), world => faults = new SeededFaults(world, plan.Seed ^ 0xFA017), isTold: isTold);
        faults!.Begin();
        var violation = world.Run();
        return new WorldResult(plan, violation, world.Scheduler.History, world.Operations, world.Scheduler.Events, world.Checker.Runs, faults.Happened, world.Timeline.Of(violation?.Key));
    }

    /// <summary>The shortest history found that breaks the same promise, told: without the faults, and then without the requests, that it does not need.</summary>
    public static WorldResult Shrink(WorldPlan plan)
    {
        var budget = MostRepetitions;
        var failing = Run(plan);
        if (failing.Violation is not { Promise: var promise })
        {
            return failing;
        }

        HashSet<ulong> Shortest(IReadOnlyList<ulong> all, Func<HashSet<ulong>, WorldPlan> with)
        {
            bool Fails(IEnumerable<ulong> some) => budget-- > 0 && Run(with([.. some])).Violation?.Promise == promise;

            // 1. The shortest prefix. 2. Without each of the rest, the last first.
            var most = all.Count;
            for (var least = 0; least < most;)
            {
                var middle = (least + most) / 2;
                (least, most) = Fails(all.Take(middle)) ? (least, middle) : (middle + 1, most);
            }

            var left = all.Take(most).ToList();
            for (var i = left.Count - 1; i >= 0; i--)
            {
                var without = left.Where((_, at) => at != i).ToList();
                left = Fails(without) ? without : left;
            }

            return [.. left];
        }

        plan = plan with { Faults = Shortest([.. failing.Faults.Select(static fault => fault.Id)], faults => plan with { Faults = faults }) };
        plan = plan with { Operations = Shortest([.. Enumerable.Range(0, plan.Clients * plan.OperationsPerClient).Select(static number => (ulong)number)], operations => plan with { Operations = operations }) };
        return Run(plan, isTold: true);
    }

    /// <summary>Runs worlds, one seed after the other, until one fails or the time is up.</summary>
    public static (Totals Totals, WorldResult? Failed) RunMany(ulong firstSeed, TimeSpan time, Func<ulong, WorldPlan>? planOf = null, Action<Totals>? onProgress = null, int most = int.MaxValue)
    {
        var totals = new Totals();
        var startedAt = Stopwatch.GetTimestamp();
        var processorBefore = Environment.CpuUsage.TotalTime;
        for (var seed = firstSeed; totals.Worlds < most && Stopwatch.GetElapsedTime(startedAt) < time; seed++)
        {
            var result = Run((planOf ?? WorldPlan.Of)(seed));
            totals.Add(result);
            totals.Time = Stopwatch.GetElapsedTime(startedAt);
            totals.ProcessorTime = Environment.CpuUsage.TotalTime - processorBefore;
            if (result.Violation is not null)
            {
                return (totals, result);
            }

            onProgress?.Invoke(totals);
        }

        return (totals, null);
    }

    /// <summary>A violation for people: its seed, its shortest history, and how to see it again.</summary>
    public static string Describe(WorldResult failed)
    {
        var shortest = Shrink(failed.Plan);
        return $"""
            {failed.Violation!.Promise} violated, seed {failed.Plan.Seed}: {failed.Violation}
            The shortest history found: {shortest.Violation}
            {shortest.Faults.Count} of {failed.Faults.Count} faults are left: {string.Join(", ", shortest.Faults.Select(static fault => fault.Kind))}
            {shortest.Timeline}
            To see it again: dotnet run --project tests/Idempotency.AspNetCore.Simulation -c Release -- --seed {failed.Plan.Seed} --worlds 1{(failed.Plan is { Steps: 0, Calls: 0 } ? " " + WithoutSteps : "")}
            """;
    }
}
