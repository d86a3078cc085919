using System.Numerics;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Counts latencies to within 3 %: it takes no memory that grows with the requests, so that it does not slow down what it counts.</summary>
internal sealed class LatencyHistogram
{
    // 32 steps for each power of two: 1/32 is the 3 %.
    private const int StepBits = 5;
    private readonly long[] _counts = new long[64 << StepBits];
    private long _total;

    public void Add(long ticks)
    {
        _counts[IndexOf(Math.Max(1, ticks))]++;
        _total++;
    }

    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }

        _total += other._total;
    }

    public void Clear()
    {
        Array.Clear(_counts);
        _total = 0;
    }

    public long Percentile(double part)
    {
        var left = (long)(part * _total);
        for (var i = 0; i < _counts.Length; i++)
        {
            left -= _counts[i];
            if (left < 0)
            {
                return LeastOf(i);
            }
        }

        return 0;
    }

    private static int IndexOf(long ticks)
    {
        var power = BitOperations.Log2((ulong)ticks);
        return power < StepBits ? (int)ticks : ((power - StepBits + 1) << StepBits) + (int)((ticks >> (power - StepBits)) & ((1 << StepBits) - 1));
    }

    private static long LeastOf(int index)
    {
        var row = index >> StepBits;
        var step = (long)(index & ((1 << StepBits) - 1));
        return row == 0 ? step : (step + (1 << StepBits)) << (row - 1);
    }
}
