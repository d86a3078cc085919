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

    public string Method { get; init; } = "POST";

    public string Body { get; init; } = """{"name":"Ann","amount":12.5}""";

    /// <summary>Its own slots.</summary>
    public List<Sample> Samples { get; } = [];

    /// <summary>Its baseline's slots before and after each of its own.</summary>
    public List<(Sample Before, Sample After)> Baselines { get; } = [];

    public async Task<Sample> RunAsync(LoadProcess load, int connections, double seconds)
    {
        var traffic = new Traffic(Method, path, Method == "POST" ? Body : null, key, key == KeyKind.OneForAll ? Traffic.Replayed : null);
        return (await load.RunAsync(server, traffic, connections, seconds)).Expecting(name, StatusCodes.Status200OK);
    }

    /// <summary>Requests a second, as ratios to the mean of the baseline's slots before and after.</summary>
    public Spread Throughput => Spread.Of(Samples.Zip(Baselines, (own, other) =>
        own.Load.RequestsPerSecond / ((other.Before.Load.RequestsPerSecond + other.After.Load.RequestsPerSecond) / 2)));

    /// <summary>Processor time of a request, as ratios likewise.</summary>
    public Spread ProcessorTime => Spread.Of(Samples.Zip(Baselines, (own, other) =>
        own.MicrosecondsPerRequest / ((other.Before.MicrosecondsPerRequest + other.After.MicrosecondsPerRequest) / 2)));

    /// <summary>The median of what all slots say.</summary>
    public double Median(Func<Sample, double> value) => Spread.Of(Samples.Select(value)).Median;
}
