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
            foreach (var small in SmallWorldCatalog.All)
            {
                var (histories, broken) = small.Explore();
                Console.WriteLine($"{small}: {histories:N0} histories{(broken is null ? "" : $", {broken.Violation}{Environment.NewLine}{broken.Timeline}")}");
            }
        }

        if (arguments.Contains("--tell"))
        {
            Console.WriteLine(Simulator.Run(WorldPlan.Of(seed), isTold: true).Timeline);
        }

        var nextReport = TimeSpan.FromSeconds(10);
        var (totals, failed) = Simulator.RunMany(
            seed,
            time,
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

        string? Value(string name) => Array.IndexOf(arguments, name) is var at && at >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
    }
}
