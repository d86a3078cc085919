namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Keys of which a few are asked for often and most seldom: the n-th most popular is drawn in proportion to 1/n (Zipf). The same sequence each time.</summary>
internal static class SkewedKeys
{
    public static int[] Draw(int keys, int draws)
    {
        var upTo = new double[keys];
        var total = 0.0;
        for (var n = 0; n < keys; n++)
        {
            upTo[n] = total += 1.0 / (n + 1);
        }

        var random = new Random(17);
        return [.. Enumerable.Range(0, draws).Select(_ => Array.BinarySearch(upTo, random.NextDouble() * total) is var at && at < 0 ? Math.Min(~at, keys - 1) : at)];
    }
}
