using System.Diagnostics;

namespace Idempotency.AspNetCore;

/// <summary>The time by which this process's own records and leases are kept.</summary>
internal sealed class MonotonicClock(TimeProvider time)
{
    private readonly long _startedAt = Stopwatch.GetTimestamp();
    private readonly long _startTicks = time.GetUtcNow().UtcTicks;

    /// <summary>Ticks (100 ns) that only go forward at the pace of real time.</summary>
    /// <remarks>
    /// Not the wall clock: stepping it would end leases of handlers that are alive, or answers that are owed. A time provider that an
    /// application or a test supplies is taken at its word.
    /// </remarks>
    public long Now => ReferenceEquals(time, TimeProvider.System)
        ? _startTicks + Stopwatch.GetElapsedTime(_startedAt).Ticks
        : time.GetUtcNow().UtcTicks;

    /// <summary>A moment from now, or the end of time.</summary>
    public static long Later(long now, TimeSpan span) => span.Ticks > long.MaxValue - now ? long.MaxValue : now + span.Ticks;
}
