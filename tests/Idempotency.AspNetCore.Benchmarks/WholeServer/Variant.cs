namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A row of the comparison: requests to a server, set against those of a baseline.</summary>
/// <param name="name">Its name in tables and goals.</param>
/// <param name="baseline">What it is set against; null for the one that is set against nothing.</param>
/// <param name="server">Its server.</param>
/// <param name="path">The endpoint.</param>
/// <param name="key">How its requests get their keys.</param>
internal sealed class Variant(string name, Variant? baseline, ServerProcess server, string path, KeyKind key = KeyKind.None)
{
    public string Name => name;

    public Variant? Baseline => baseline;

    public ServerProcess Server => server;

    /// <summary>What no design could spare of it, measured next to it; null where that is not measured.</summary>
    public Variant? Floor { get; init; }

    public string Method { get; init; } = "POST";

    public string Body { get; init; } = Payment.SmallBody;

    /// <summary>Its own slots; of a baseline that is set against nothing, the slots after those of others.</summary>
    public List<Sample> Samples { get; } = [];

    /// <summary>Its own slots with what they are set against.</summary>
    public List<Slot> Slots { get; } = [];

    /// <summary>What has to be warmed up: requests of the same kind to the same server.</summary>
    public object Kind => (server, path, key, Body.Length);

    /// <summary>Runs one slot, as <see cref="LoadProcess.RunAsync"/> does; any other answer than 200 ends the benchmark.</summary>
    public async Task<Sample> RunAsync(LoadProcess load, int connections, double seconds, double rate = 0) =>
        (await load.RunAsync(server, new Traffic(Method, path, Method == "POST" ? Body : null, key, key == KeyKind.OneForAll ? Traffic.Replayed : null), connections, seconds, rate))
            .Expecting(name, StatusCodes.Status200OK);

    public void Add(Slot slot)
    {
        Slots.Add(slot);
        Samples.Add(slot.Own);
    }

    /// <summary>Requests a second, as ratios to the baseline.</summary>
    public Spread Throughput => OverProcesses(slot => slot.Throughput);

    /// <summary>Processor time of a request, as ratios to the baseline.</summary>
    public Spread ProcessorTime => OverProcesses(slot => slot.ProcessorTime);

    /// <summary>Requests a second, as ratios to the floor.</summary>
    public Spread ToFloor => OverProcesses(slot => slot.ToFloor);

    /// <summary>The ratios of all rounds, whatever process they were in.</summary>
    public Spread Rounds => Spread.Of(Slots.Select(slot => slot.Throughput));

    /// <summary>The median of what all slots say.</summary>
    public double Median(Func<Sample, double> value) => Spread.Of(Samples.Select(value)).Median;

    /// <summary>One value for each process, the median of its rounds: what a process does for as long as it lives is one observation, however many rounds it runs.</summary>
    private Spread OverProcesses(Func<Slot, double> ratio) =>
        Spread.Of(Slots.GroupBy(slot => slot.Process).Select(process => Spread.Of(process.Select(ratio)).Median));
}
