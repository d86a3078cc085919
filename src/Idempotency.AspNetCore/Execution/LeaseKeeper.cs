using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Renews the lease of every claim whose handler is running, every third of it.</summary>
/// <remarks>
/// One timer for all claims of the same lease, not one for each request: claims wait in the order they came, which is the order they are
/// due in, so starting and stopping is a pointer move. (One whose store took its time is due before those in front of it, and renewed within a
/// third of having come.) Handlers that finish within a third of their lease, as nearly all do, cost no more.
/// A renewal that fails is tried again every twelfth of the lease, so a store may be away for half of it and nothing is lost.
/// </remarks>
internal sealed class LeaseKeeper : IDisposable
{
    private readonly ConcurrentDictionary<TimeSpan, Lane> _lanes = new();
    private readonly StoreAccess _store;
    private readonly Telemetry _telemetry;
    private readonly TimeProvider _time;
    private readonly MonotonicClock _clock;
    private readonly ILogger<LeaseKeeper> _logger;

    public LeaseKeeper(StoreAccess store, Telemetry telemetry, TimeProvider time, ILogger<LeaseKeeper> logger)
    {
        _store = store;
        _telemetry = telemetry;
        _time = time;
        _clock = new MonotonicClock(time);
        _logger = logger;
        telemetry.ObserveClaims(() => _lanes.Values.Sum(static lane => lane.Count));
    }

    /// <param name="claim">The claim.</param>
    /// <param name="askedAt">When the store was asked for it, in ticks: its first third counts from then.</param>
    public void Start(OwnedClaim claim, long askedAt) => _lanes.GetOrAdd(claim.Policy.ClaimDuration, static (lease, keeper) => new Lane(keeper, lease), this).Add(claim, askedAt);

    public static void Stop(OwnedClaim claim) => claim.Lane?.Remove(claim);

    public void Dispose()
    {
        foreach (var lane in _lanes.Values)
        {
            lane.Dispose();
        }
    }

    /// <summary>Renews, and tries again until the next third is due, when the next round takes over.</summary>
    private async Task RenewAsync(Lane lane, OwnedClaim claim)
    {
        var lease = claim.Policy.ClaimDuration;
        var until = MonotonicClock.Later(_clock.Now, lease / 3);
        do
        {
            var leaseUntil = MonotonicClock.Later(_clock.Now, lease);
            try
            {
                using var patience = new CancellationTokenSource(lease / 3, _time);
                if (await _store.RenewAsync(claim.Key, claim.Owner, lease, claim.Policy.Retention, patience.Token).AsTask().WaitAsync(lease / 3, _time))
                {
                    claim.LeaseUntil = leaseUntil;
                }
                else if (lane.IsKept(claim))
                {
                    // Refused also when its answer has got to the store meanwhile, whether or not its owner has heard of that yet: the record says.
                    var existing = await _store.ReadAsync(claim.Key, patience.Token).AsTask().WaitAsync(lease / 3, _time);
                    if (existing?.Owner != claim.Owner && lane.Remove(claim) && claim.MarkLost())
                    {
                        Log.ClaimLost(_logger, claim.Key);
                        _telemetry.ClaimLost();
                    }
                }

                return;
            }
            catch (Exception exception)
            {
                Log.RenewalFailed(_logger, claim.Key, exception);
                _telemetry.RenewalFailed();
            }

            await Task.Delay(lease / 12, _time);
        }
        while (_clock.Now < until && lane.IsKept(claim));
    }

    /// <summary>The claims of one lease length, first due first.</summary>
    internal sealed class Lane : IDisposable
    {
        private readonly LeaseKeeper _keeper;
        private readonly TimeSpan _third;
        private readonly Lock _lock = new();
        private readonly ITimer _timer;
        private OwnedClaim? _first;
        private OwnedClaim? _last;
        private bool _armed;
        private long _count;

        public Lane(LeaseKeeper keeper, TimeSpan lease)
        {
            _keeper = keeper;
            _third = lease / 3;
            _timer = SharedTimer.Create(keeper._time, static lane => ((Lane)lane!).RenewDue(), this, Timeout.InfiniteTimeSpan);
        }

        public long Count => Volatile.Read(ref _count);

        public void Add(OwnedClaim claim, long askedAt)
        {
            lock (_lock)
            {
                claim.Lane = this;
                _count++;
                Append(claim, askedAt);
                Arm();
            }
        }

        /// <returns>Whether it was kept.</returns>
        public bool Remove(OwnedClaim claim)
        {
            lock (_lock)
            {
                if (claim.Lane is null)
                {
                    return false;
                }

                Unlink(claim);
                claim.Lane = null;
                _count--;
                return true;
            }
        }

        public bool IsKept(OwnedClaim claim)
        {
            lock (_lock)
            {
                return claim.Lane is not null;
            }
        }

        public void Dispose() => _timer.Dispose();

        private void RenewDue()
        {
            var due = new List<OwnedClaim>();
            lock (_lock)
            {
                _armed = false;
                var now = _keeper._clock.Now;
                while (_first is { } first && first.DueAt <= now)
                {
                    Unlink(first);
                    Append(first, now);
                    due.Add(first);
                }

                Arm();
            }

            foreach (var claim in due)
            {
                _ = _keeper.RenewAsync(this, claim);
            }
        }

        private void Append(OwnedClaim claim, long now)
        {
            claim.DueAt = MonotonicClock.Later(now, _third);
            claim.Earlier = _last;
            _last = claim;
            if (claim.Earlier is { } earlier)
            {
                earlier.Later = claim;
            }
            else
            {
                _first = claim;
            }
        }

        private void Unlink(OwnedClaim claim)
        {
            if (claim.Earlier is { } earlier)
            {
                earlier.Later = claim.Later;
            }
            else
            {
                _first = claim.Later;
            }

            if (claim.Later is { } later)
            {
                later.Earlier = claim.Earlier;
            }
            else
            {
                _last = claim.Earlier;
            }

            claim.Earlier = claim.Later = null;
        }

        // Armed once for the first in line and left alone when that one ends early: waking up for nothing three times in a lease is cheaper
        // than setting a timer for every request.
        private void Arm()
        {
            if (!_armed && _first is { } first)
            {
                _armed = true;
                var wait = new TimeSpan(Math.Max(TimeSpan.TicksPerMillisecond, first.DueAt - _keeper._clock.Now));
                _timer.Change(wait, Timeout.InfiniteTimeSpan);
            }
        }
    }
}
