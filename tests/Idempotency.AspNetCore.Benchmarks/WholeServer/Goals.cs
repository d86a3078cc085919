namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What the library promises of its speed, each promise set against what was measured in this run.</summary>
/// <remarks>
/// A ratio holds when the lower quartile of the processes reaches it. Each process counts once, with the median of its rounds: of five processes, the second lowest decides.
/// </remarks>
internal sealed class Goals(IReadOnlyList<Variant> variants, Dictionary<string, double> roundTrips)
{
    private readonly Table _table = new("goal", "at least / exactly", "measured", "holds");

    public string Table()
    {
        AtLeast("Replay from the local cache, to the same endpoint without the middleware", Variants.Warm, 1);
        AtLeast("… the goal beyond", Variants.Warm, 1.15);
        Measured("… for comparison: the same bytes without any work", Variants.Fixed);
        AtLeast("Replay from the local cache, to OutputCache serving a hit", Variants.WarmToOutputCache, 1);
        AtLeast("First execution in memory, to the same endpoint without the middleware", Variants.First, 0.85);
        Measured("… its floor: a bare-bones middleware without any promise", Variants.BareBones);
        Calls("Redis", 2, 1, 0);
        AtLeast("Redis: first execution, to an endpoint that sends two bare commands", Variants.RedisFirst, 0.9);
        AtLeast("… to an endpoint that sends the store's two scripts by hand", Variants.RedisFirstToScripts, 0.9);
        AtLeast("Redis: cold replay, to the same", Variants.RedisCold, 0.9);
        Calls("DynamoDB", 2, 1, 0);
        AtLeast("DynamoDB: first execution, to an endpoint that sends two bare writes", Variants.DynamoDBFirst, 0.9);
        AtLeast("… to an endpoint that makes the store's two writes and nothing else", Variants.DynamoDBFirstToStore, 0.9);
        AtLeast("DynamoDB: cold replay, to the same", Variants.DynamoDBCold, 0.9);
        Fingerprints();
        PassThrough();
        return _table.ToString();
    }

    private void AtLeast(string goal, string variant, double least)
    {
        if (variants.FirstOrDefault(other => other.Name == variant) is not { } found)
        {
            _table.Add(goal, $"{least:0.00}x", "not measured", "-");
            return;
        }

        _table.Add(goal, $"{least:0.00}x", MeasureOf(found), YesOrNo(found.Throughput.Lower >= least));
    }

    /// <summary>Nothing that is promised, but what a promise can be held against.</summary>
    private void Measured(string what, string variant)
    {
        if (variants.FirstOrDefault(other => other.Name == variant) is { } found)
        {
            _table.Add(what, "", MeasureOf(found), "");
        }
    }

    public static string MeasureOf(Spread ratio) => $"{ratio.Median:F2}x ({ratio.Lower:F2} to {ratio.Upper:F2})";

    public static string YesOrNo(bool holds) => holds ? "yes" : "**no**";

    private static string MeasureOf(Variant variant) => $"{MeasureOf(variant.Throughput)}, processor time {variant.ProcessorTime.Median:F2}x";

    private void Calls(string store, params int[] expected)
    {
        foreach (var (request, calls) in ((string[])["first execution", "cold replay", "warm replay"]).Zip(expected))
        {
            var isCounted = roundTrips.TryGetValue($"{store}: {request}", out var counted);
            _table.Add($"{store}: calls of a {request}", $"{calls}", isCounted ? $"{counted:0.##}" : "not measured", isCounted ? YesOrNo(counted == calls) : "-");
        }
    }

    private void Fingerprints()
    {
        Stopclock.Compile([Documents.Customers(4096, isSorted: true), Documents.Customers(4096, isSorted: false), Documents.Customers(80, isSorted: false)], FingerprintBenchmarks.Hash);
        foreach (var isSorted in (bool[])[true, false])
        {
            var megabytes = MegabytesPerSecond(Documents.Customers(32 * 1024, isSorted), FingerprintBenchmarks.Hash);
            var goal = isSorted ? 800 : 600;
            _table.Add($"Canonical fingerprint of 32 KB, members {(isSorted ? "sorted" : "unsorted")}", $"{goal} MB/s", $"{megabytes:F0} MB/s", YesOrNo(megabytes >= goal));
        }

        var hashAlone = MegabytesPerSecond(Documents.Customers(32 * 1024, isSorted: true), static json => Sha256Hash.Of(json));
        _table.Add("… for comparison: SHA-256 alone", "", $"{hashAlone:F0} MB/s", "");

        var small = Documents.Customers(80, isSorted: false);
        var nanoseconds = Stopclock.Nanoseconds(small, FingerprintBenchmarks.Hash);
        _table.Add("Canonical fingerprint of 80 bytes", "under 3 µs", $"{nanoseconds / 1000:F2} µs", YesOrNo(nanoseconds < 3000));

        var bytes = ((int[])[1024, 32 * 1024, 1024 * 1024]).Select(size => Stopclock.Bytes(Documents.Customers(size, isSorted: false), FingerprintBenchmarks.Hash)).ToList();
        _table.Add("… allocates nothing that grows with the body", "0 B more", $"{bytes[0]:F0} B at 1 KB, {bytes[1]:F0} B at 32 KB, {bytes[2]:F0} B at 1 MB", YesOrNo(bytes[1] <= bytes[0] && bytes[2] <= bytes[0]));
    }

    private static double MegabytesPerSecond(byte[] json, Action<byte[]> run) => json.Length / Stopclock.Nanoseconds(json, run) * 1000;

    /// <summary>No measurable cost: the middle half of the ratios reaches 1, for throughput and for processor time, and not a byte more is allocated.</summary>
    private void PassThrough()
    {
        const string Goal = "Pass-through endpoints: no measurable cost";
        if (variants.FirstOrDefault(variant => variant.Name == Variants.PassThrough) is { } found)
        {
            var (ratio, time) = (found.Throughput, found.ProcessorTime);
            _table.Add(
                Goal,
                "1.00x within the quartiles",
                $"{MeasureOf(ratio)}, processor time {MeasureOf(time)}",
                YesOrNo(Math.Round(ratio.Upper, 2) >= 1 && Math.Round(time.Lower, 2) <= 1)); // as printed
        }

        var pipeline = new Pipeline();
        var more = Stopclock.Bytes(pipeline, static pipeline => pipeline.PassThroughAsync().GetAwaiter().GetResult())
            - Stopclock.Bytes(pipeline, static pipeline => pipeline.BareAsync().GetAwaiter().GetResult());
        _table.Add("… and no allocation", "0 B", $"{more:F0} B", YesOrNo(more <= 0));
    }
}
