namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A row of the comparison: requests to a server, set against those of a baseline.</summary>
/// <param name="name">Its name in tables and goals.</param>
/// <param name="baseline">What it is set against; null for the one that is set against nothing.</param>
/// <param name="server">Starts its server, once, when the first of its variants is to run.</param>
/// <param name="path">The endpoint.</param>
/// <param name="key">How its requests get their keys.</param>
internal sealed class Variant(string name, Variant? baseline, Lazy<Task<int>> server, string path, KeyKind key = KeyKind.None)
{
    private Traffic? _traffic;

    public string Name => name;

    public Variant? Baseline => baseline;

    public string Method { get; init; } = "POST";

    /// <summary>Whether it runs when all others are done: what its server holds is a burden to the collector, and so to every server of the process.</summary>
    public bool RunsLast { get; init; }

    public string Body { get; init; } = """{"name":"Ann","amount":12.5}""";

    /// <summary>Its own slots.</summary>
    public List<Sample> Samples { get; } = [];

    /// <summary>Its baseline's slots before and after each of its own.</summary>
    public List<(Sample Before, Sample After)> Baselines { get; } = [];

    public async Task StartAsync() => _traffic = new Traffic(
        await server.Value, Method, path, Method == "POST" ? Body : null, key, key == KeyKind.OneForAll ? Traffic.Replayed : null);

    public async Task<Sample> RunAsync(LoadProcess load, int connections, double seconds) =>
        (await load.RunAsync(_traffic!, connections, seconds)).Expecting(name, StatusCodes.Status200OK);

    /// <summary>Requests a second, as ratios to the mean of the baseline's slots before and after.</summary>
    public Spread Throughput => Spread.Of(Samples.Zip(Baselines, (own, other) =>
        own.Load.RequestsPerSecond / ((other.Before.Load.RequestsPerSecond + other.After.Load.RequestsPerSecond) / 2)));

    /// <summary>Processor time of a request, as ratios likewise.</summary>
    public Spread ProcessorTime => Spread.Of(Samples.Zip(Baselines, (own, other) =>
        own.MicrosecondsPerRequest / ((other.Before.MicrosecondsPerRequest + other.After.MicrosecondsPerRequest) / 2)));

    /// <summary>The median of what all slots say.</summary>
    public double Median(Func<Sample, double> value) => Spread.Of(Samples.Select(value)).Median;
}
