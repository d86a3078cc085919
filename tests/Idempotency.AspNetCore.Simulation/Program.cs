using System.Globalization;

namespace Idempotency.AspNetCore.Simulation;

/// <summary><c>dotnet run --project tests/Idempotency.AspNetCore.Simulation -c Release -- --minutes 10 --seed N</c></summary>
internal static class Program
{
    public static int Main(string[] arguments)
    {
        var seed = Value("--seed") is { } given ? ulong.Parse(given, CultureInfo.InvariantCulture) : (ulong)Random.Shared.NextInt64();
        var time = Value("--minutes") is { } minutes ? TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture)) : Value("--worlds") is null ? TimeSpan.FromMinutes(1) : TimeSpan.MaxValue;
        var worlds = Value("--worlds") is { } most ? int.Parse(most, CultureInfo.InvariantCulture) : int.MaxValue;
        Console.WriteLine($"seed {seed}");
        if (arguments.Contains("--small"))
        {
            return ExploreSmallWorlds() ? 0 : 1;
        }

        if (arguments.Contains("--tell"))
        {
            Console.WriteLine(Simulator.Run(PlanOf(seed), isTold: true).Timeline);
        }

        var nextReport = TimeSpan.FromSeconds(10);
        var (totals, failed) = Simulator.RunMany(
            seed,
            time,
            PlanOf,
            onProgress: totals =>
            {
                if (totals.Time >= nextReport)
                {
                    Console.WriteLine(totals);
                    nextReport += TimeSpan.FromSeconds(10);
                }
            },
            most: worlds);
        Console.WriteLine(totals);
        Console.WriteLine(totals.FaultsByKind());
        Console.WriteLine(failed is null ? "Every promise was kept." : Simulator.Describe(failed));
        return failed is null ? 0 : 1;

        WorldPlan PlanOf(ulong seed) => arguments.Contains(Simulator.WithoutSteps) ? WorldPlan.Of(seed).ThatHasNoSteps() : WorldPlan.Of(seed);

        string? Value(string name) => Array.IndexOf(arguments, name) is var at && at >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
    }

    /// <returns>Whether every promise was kept.</returns>
    private static bool ExploreSmallWorlds()
    {
        var isKept = true;
        foreach (var small in SmallWorldCatalog.All)
        {
            var (histories, broken) = small.Explore();
            Console.WriteLine($"{small}: {histories:N0} histories{(broken is null ? "" : $", {broken.Violation}{Environment.NewLine}{broken.Timeline}")}");
            isKept &= broken is null;
        }

        Console.WriteLine(isKept ? "Every promise was kept." : "A promise was broken.");
        return isKept;
    }
}
