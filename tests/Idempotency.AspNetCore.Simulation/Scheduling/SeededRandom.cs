namespace Idempotency.AspNetCore.Simulation;

/// <summary>A generator whose numbers depend on its seed alone: SplitMix64, the same on every machine and runtime.</summary>
internal struct SeededRandom(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        return Mix(_state);
    }

    /// <summary>A number from zero to below <paramref name="count"/>.</summary>
    public int Below(int count) => (int)(((Next() >> 32) * (ulong)count) >> 32);

    /// <summary>A number from <paramref name="from"/> to <paramref name="to"/>, both included.</summary>
    public long Between(long from, long to) => from + (long)(((UInt128)Next() * (ulong)(to - from + 1)) >> 64);

    /// <summary>A time between two, small ones as likely as large ones.</summary>
    public TimeSpan Spread(TimeSpan from, TimeSpan to)
    {
        // Each doubling is as likely as any other. Integers only: floating point may differ between machines.
        var doublings = 0;
        for (var span = from.Ticks; span < to.Ticks; span *= 2)
        {
            doublings++;
        }

        var low = from.Ticks << Below(Math.Max(1, doublings));
        return new TimeSpan(Math.Min(to.Ticks, Between(low, low * 2)));
    }

    /// <summary>True this many times in a million.</summary>
    public bool Chance(int inMillion) => Below(1_000_000) < inMillion;

    public static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
