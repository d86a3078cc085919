using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Gathers numbers from the first viewer until some time after the last. While nobody looks there is no listener, no timer and no memory.</summary>
internal sealed class LiveNumbers(IServiceProvider services, IIdempotencyRecords records, TimeProvider time, ILogger logger) : IDisposable
{
    /// <summary>How often viewers get new numbers.</summary>
    public static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    /// <summary>How long numbers are gathered after the last viewer left, so that one who comes back finds the charts as they were.</summary>
    public static readonly TimeSpan Linger = TimeSpan.FromMinutes(5);

    private readonly Lock _lock = new();
    private Numbers? _numbers;
    private ITimer? _timer;
    private TaskCompletionSource<NumbersSnapshot> _next = NewNext();
    private int _viewers;
    private long _lastViewAt;
    private bool _isDisposed;

    /// <summary>The numbers of this moment. Whoever asks counts as a viewer.</summary>
    public NumbersSnapshot Current()
    {
        lock (_lock)
        {
            return new NumbersSnapshot(Watched().Describe());
        }
    }

    /// <summary>Begins to view: the current numbers at once, and then new ones at the pace.</summary>
    public Viewer View()
    {
        lock (_lock)
        {
            Watched();
            _viewers++;
            return new Viewer(this);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            Stop();
        }
    }

    private Numbers Watched()
    {
        _lastViewAt = time.GetTimestamp();
        if (_numbers is null)
        {
            _numbers = new Numbers(services.GetRequiredService<IMeterFactory>(), records, time);
            if (!_isDisposed)
            {
                _timer = NewTimer();
            }
        }

        return _numbers;
    }

    // Without the ambient state of the request during which it happens to be made.
    private ITimer NewTimer()
    {
        using var suppressed = ExecutionContext.IsFlowSuppressed() ? (AsyncFlowControl?)null : ExecutionContext.SuppressFlow();
        return time.CreateTimer(static numbers => ((LiveNumbers)numbers!).Tick(), this, Pace, Pace);
    }

    private Task<NumbersSnapshot> NextAsync()
    {
        lock (_lock)
        {
            return _next.Task;
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            _viewers--;
            _lastViewAt = time.GetTimestamp();
        }
    }

    private void Tick()
    {
        var (told, snapshot) = ((TaskCompletionSource<NumbersSnapshot>?)null, (NumbersSnapshot?)null);
        lock (_lock)
        {
            if (_numbers is null)
            {
                return;
            }

            if (_viewers == 0 && time.GetElapsedTime(_lastViewAt) >= Linger)
            {
                Stop();
                return;
            }

            try
            {
                if (_viewers == 0)
                {
                    _numbers.Gather();
                    return;
                }

                snapshot = new NumbersSnapshot(_numbers.Describe());
                (told, _next) = (_next, NewNext());
            }
            catch (Exception exception)
            {
                DashboardLog.NumbersFailed(logger, exception); // on a timer, where it would end the process
            }
        }

        told?.SetResult(snapshot!);
    }

    private void Stop()
    {
        _timer?.Dispose();
        _numbers?.Dispose();
        (_timer, _numbers) = (null, null);
    }

    private static TaskCompletionSource<NumbersSnapshot> NewNext() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>One who looks. A slow one misses numbers, and gets the newest when it asks for the next.</summary>
    internal sealed class Viewer(LiveNumbers live) : IDisposable
    {
        private bool _hasSeenAny;
        private bool _hasLeft;

        public Task<NumbersSnapshot> NextAsync(CancellationToken cancellationToken)
        {
            if (_hasSeenAny)
            {
                return live.NextAsync().WaitAsync(cancellationToken);
            }

            _hasSeenAny = true;
            return Task.FromResult(live.Current());
        }

        public void Dispose()
        {
            if (!Interlocked.Exchange(ref _hasLeft, true))
            {
                live.Leave();
            }
        }
    }
}
