namespace Idempotency.AspNetCore;

/// <summary>The clock for leases and retentions within this process.</summary>
internal static class MonotonicTime
{
    /// <summary>Ticks (100 ns) that only move forward, at the pace of real time. Readings within one process can be compared.</summary>
    /// <remarks>Not the wall clock: setting it would end the leases of running handlers, or retentions, too early.</remarks>
    public static long Ticks(this TimeProvider time)
    {
        // Not GetElapsedTime(0): it calculates in double, which loses microseconds when a clock counts ticks from year 1, as the clocks of tests do.
        var (timestamp, frequency) = (time.GetTimestamp(), time.TimestampFrequency);
        return frequency % TimeSpan.TicksPerSecond == 0
            ? timestamp / (frequency / TimeSpan.TicksPerSecond)
            : (long)((Int128)timestamp * TimeSpan.TicksPerSecond / frequency);
    }

    /// <summary>The time <paramref name="span"/> after <paramref name="now"/>, limited to the maximum.</summary>
    public static long After(long now, TimeSpan span) => span.Ticks > long.MaxValue - now ? long.MaxValue : now + span.Ticks;

    /// <summary>The time left until <paramref name="moment"/>, or zero.</summary>
    public static TimeSpan Until(long moment, long now) => new(Math.Max(0, moment - now));
}
