namespace Idempotency.AspNetCore;

/// <summary>Durations over the window, in classes of which each is 19 % longer than the one before: a quantile is exact to 10 %.</summary>
internal sealed class DurationSeries
{
    /// <summary>From a microsecond to 100 seconds; what is shorter or longer counts as these.</summary>
    public const int Classes = 108;

    private const double Shortest = 1e-6;
    private const int ClassesPerDoubling = 4;

    private readonly long[] _totals = new long[Classes];
    private readonly long[] _gathered = new long[Classes];
    private readonly int[] _ring = new int[Window.Slots * Classes];

    public void Add(double seconds) => Interlocked.Increment(ref _totals[ClassOf(seconds)]);

    public void Gather(Window window)
    {
        var slot = _ring.AsSpan(window.Newest * Classes, Classes);
        for (var i = 0; i < Classes; i++)
        {
            var total = Interlocked.Read(ref _totals[i]);
            slot[i] += (int)(total - _gathered[i]);
            _gathered[i] = total;
        }
    }

    public void Clear(int slot) => _ring.AsSpan(slot * Classes, Classes).Clear();

    /// <summary>Adds the counts of a slot to those of others.</summary>
    public void AddTo(Span<long> counts, int slot)
    {
        var own = _ring.AsSpan(slot * Classes, Classes);
        for (var i = 0; i < Classes; i++)
        {
            counts[i] += own[i];
        }
    }

    /// <summary>Adds the counts of the whole window to those of others.</summary>
    public void AddTo(Span<long> counts)
    {
        for (var slot = 0; slot < Window.Slots; slot++)
        {
            AddTo(counts, slot);
        }
    }

    /// <summary>The duration, in milliseconds, that a share of all durations does not exceed; null when there are none.</summary>
    public static double? Quantile(ReadOnlySpan<long> counts, double share)
    {
        var all = 0L;
        foreach (var count in counts)
        {
            all += count;
        }

        var rank = (long)Math.Ceiling(share * all);
        for (var (i, below) = (0, 0L); i < counts.Length && all > 0; i++)
        {
            below += counts[i];
            if (below >= rank)
            {
                return Math.Round(Shortest * 1000 * Math.Pow(2, (i + 0.5) / ClassesPerDoubling), 4);
            }
        }

        return null;
    }

    private static int ClassOf(double seconds) => seconds <= Shortest ? 0 : Math.Min(Classes - 1, (int)(Math.Log2(seconds / Shortest) * ClassesPerDoubling));
}
