namespace Idempotency.AspNetCore;

/// <summary>Time that leases and retentions of this process are measured by.</summary>
internal static class MonotonicTime
{
    /// <summary>Ticks (100 ns) that only go forward, at the pace of real time. All readings in a process can be compared.</summary>
    /// <remarks>Not the wall clock: stepping that would end the leases of handlers that are still running, or retentions that are promised.</remarks>
    public static long Ticks(this TimeProvider time)
    {
        // Not GetElapsedTime(0): that calculates in double, which is off by microseconds where a clock counts ticks from year 1 (as those of tests do).
        var (timestamp, frequency) = (time.GetTimestamp(), time.TimestampFrequency);
        return frequency % TimeSpan.TicksPerSecond == 0
            ? timestamp / (frequency / TimeSpan.TicksPerSecond)
            : (long)((Int128)timestamp * TimeSpan.TicksPerSecond / frequency);
    }

    /// <summary>A moment after <paramref name="now"/>, or the end of time.</summary>
    public static long After(long now, TimeSpan span) => span.Ticks > long.MaxValue - now ? long.MaxValue : now + span.Ticks;

    /// <summary>The time left until a moment, or zero.</summary>
    public static TimeSpan Until(long moment, long now) => new(Math.Max(0, moment - now));
}
