using System.Diagnostics;

namespace Idempotency.AspNetCore;

/// <summary>The time by which this process's own records and leases are kept.</summary>
internal sealed class MonotonicClock(TimeProvider time)
{
    // The same for all clocks of the process: what one of them has read, another compares with. Had each its own start, a wall clock that is stepped between
    // two of them (as it is soon after a machine's) would leave them apart for good.
    private static readonly long StartedAt = Stopwatch.GetTimestamp();
    private static readonly long StartTicks = TimeProvider.System.GetUtcNow().UtcTicks;

    /// <summary>Ticks (100 ns) that only go forward at the pace of real time.</summary>
    /// <remarks>
    /// Not the wall clock: stepping it would end leases of handlers that are alive, or answers that are owed. A time provider that an
    /// application or a test supplies is taken at its word.
    /// </remarks>
    public long Now => ReferenceEquals(time, TimeProvider.System)
        ? StartTicks + Stopwatch.GetElapsedTime(StartedAt).Ticks
        : time.GetUtcNow().UtcTicks;

    /// <summary>A moment from now, or the end of time.</summary>
    public static long Later(long now, TimeSpan span) => span.Ticks > long.MaxValue - now ? long.MaxValue : now + span.Ticks;
}
