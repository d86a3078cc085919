namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What becomes of time and memory as something grows: records, bodies, connections, a flood, malice.</summary>
internal static class Growth
{
    /// <summary>One: there are many rows, and processes differ more than rounds do.</summary>
    public const int RoundsPerProcess = 1;

    public static async Task RunAsync(Arguments arguments)
    {
        var page = new Page(arguments.IsWritten);
        var rounds = (int)arguments.Number("--rounds", 5);
        var seconds = arguments.Number("--seconds", 0.3);
        Console.WriteLine(Machine.Description);
        using var load = LoadProcess.Start();
        var goals = new GrowthGoals();
        (string Section, Func<Task<string>> Measure)[] parts =
        [
            ("json", () => Task.FromResult(JsonGrowth.Run())), // first, while the heap is small
            ("compression", () => Task.FromResult(CompressionLevels.Run())),
            ("records", () => Task.FromResult(RecordGrowth.Run())),
            ("flood", () => Flood.RunAsync(load)),
            ("bodies", () => BodyGrowth.RunAsync(load, rounds, seconds, goals)),
            ("connections", () => ConnectionGrowth.RunAsync(load, rounds, seconds, goals)),
        ];
        foreach (var (section, measure) in parts.Where(part => arguments.Wants(part.Section)))
        {
            page.Add(section, arguments.CommandLine, await measure());
        }

        if (!goals.IsEmpty)
        {
            page.Add("growth-goals", arguments.CommandLine, goals.ToString());
        }
    }

    /// <summary>The cells of a row that has a baseline, and perhaps a floor.</summary>
    public static string[] RatiosOf(Variant variant)
    {
        var (ratio, floor) = (variant.Throughput, variant.ToFloor);
        return
        [
            variant.Baseline is null ? "" : $"**{ratio.Median:F2}**",
            variant.Baseline is null ? "" : $"{ratio.Lower:F2} to {ratio.Upper:F2}",
            variant.Floor is null ? "" : $"**{floor.Median:F2}**",
            variant.Floor is null ? "" : $"{floor.Lower:F2} to {floor.Upper:F2}",
            variant.Baseline is null ? "" : $"{variant.ProcessorTime.Median:F2}",
        ];
    }
}
