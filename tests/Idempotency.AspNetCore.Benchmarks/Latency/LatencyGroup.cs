namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What is measured at one rate: requests to servers over one store, and to the endpoint without the library.</summary>
internal sealed class LatencyGroup(string store, IReadOnlyList<Variant> variants)
{
    public const string Bare = "bare";

    /// <summary>The percentiles that are told: p50, p99 and p99.9, in milliseconds.</summary>
    public static readonly Func<Load, double>[] Percentiles = [load => load.MedianMilliseconds, load => load.P99Milliseconds, load => load.P999Milliseconds];

    /// <summary>A round has at least so many requests of each kind, so that it has a slowest thousandth. A round that would take more than four times as long for it stays without.</summary>
    public const int LeastRequests = 2000;

    public string Store => store;

    public bool HasSlowestThousandth => RequestsPerRound >= LeastRequests;

    public IReadOnlyList<Variant> Variants => variants;

    /// <summary>The variant that can answer the fewest requests a second.</summary>
    public Variant? Slowest { get; set; }

    /// <summary>How many that are.</summary>
    public double Capacity { get; set; }

    /// <summary>How many requests a second are sent.</summary>
    public double Rate { get; set; }

    /// <summary>By how much a percentile is above the bare endpoint's in the same round.</summary>
    public Spread Added(Variant variant, Func<Load, double> percentile) =>
        Spread.Of(variant.Samples.Zip(variants.Single(other => other.Name == Bare).Samples, (own, bare) => percentile(own.Load) - percentile(bare.Load)));

    /// <summary>How many requests of each kind a round has.</summary>
    public double RequestsPerRound => Variants.Min(variant => variant.Median(sample => sample.Load.Requests));
}
