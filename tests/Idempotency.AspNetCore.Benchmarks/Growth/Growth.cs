namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What becomes of time and memory as something grows: records, bodies, connections, a flood, malice.</summary>
internal static class Growth
{
    public static async Task RunAsync(Arguments arguments)
    {
        var page = new Page(arguments.IsWritten);
        var rounds = (int)arguments.Number("--rounds", 4);
        var seconds = arguments.Number("--seconds", 0.4);
        Console.WriteLine(Machine.Description);
        using var load = LoadProcess.Start();
        (string Section, Func<Task<string>> Measure)[] parts =
        [
            ("json", () => Task.FromResult(JsonGrowth.Run())), // first, while the heap is small
            ("records", () => Task.FromResult(RecordGrowth.Run())),
            ("flood", () => Flood.RunAsync(load)),
            ("bodies", () => BodyGrowth.RunAsync(load, rounds, seconds)),
            ("connections", () => ConnectionGrowth.RunAsync(load, rounds, seconds)),
        ];
        foreach (var (section, measure) in parts.Where(part => arguments.Wants(part.Section)))
        {
            page.Add(section, arguments.CommandLine, await measure());
        }
    }
}
