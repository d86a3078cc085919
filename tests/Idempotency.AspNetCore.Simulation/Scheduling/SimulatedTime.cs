namespace Idempotency.AspNetCore.Simulation;

/// <summary>The clocks of one process: one that only goes forward, a little too fast or too slow, and one on the wall, which may be set.</summary>
/// <param name="scheduler">The true time.</param>
/// <param name="process">Whose timers they are; null for the store's.</param>
/// <param name="drift">How much too fast it goes, in millionths.</param>
/// <param name="areTimersBackground">Whether a world may end while timers are set.</param>
internal sealed class SimulatedTime(Scheduler scheduler, Process? process, long drift = 0, bool areTimersBackground = false) : TimeProvider
{
    private const long Million = 1_000_000;
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>How far the wall clock is off.</summary>
    public TimeSpan WallOffset { get; set; }

    /// <summary>How many timers there are that nobody has disposed of.</summary>
    public int Timers { get; private set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
    {
        scheduler.CheckThread();
        return scheduler.Now + (scheduler.Now / Million * drift) + (scheduler.Now % Million * drift / Million);
    }

    public override DateTimeOffset GetUtcNow() => Start + new TimeSpan(GetTimestamp()) + WallOffset;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Timers++;
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(SimulatedTime time, TimerCallback callback, object? state) : ITimer
    {
        private Scheduler.Later? _next;
        private TimeSpan _period;
        private bool _isDisposed;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (_isDisposed)
            {
                return false;
            }

            _next?.Cancel();
            _period = period;
            _next = dueTime == Timeout.InfiniteTimeSpan ? null : time.After(dueTime, this);
            return true;
        }

        public void Fire()
        {
            _next = _period > TimeSpan.Zero && !_isDisposed ? time.After(_period, this) : null;
            if (!_isDisposed)
            {
                callback(state);
            }
        }

        public void Dispose()
        {
            if (!_isDisposed)
            {
                _isDisposed = true;
                time.Timers--;
                _next?.Cancel();
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }

    // Rounded up: a timer never fires before its own process's clock says so.
    private Scheduler.Later After(TimeSpan own, Timer timer) => scheduler.PostAfter(
        drift == 0 ? own : new TimeSpan((long)((Int128)own.Ticks * Million / (Million + drift)) + 1),
        process,
        static timer => ((Timer)timer!).Fire(),
        timer,
        isBackground: areTimersBackground);
}
