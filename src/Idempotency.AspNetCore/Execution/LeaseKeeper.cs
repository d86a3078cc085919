using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Renews the lease of every claim whose handler is running, every third of its duration.</summary>
/// <remarks>
/// There is one timer for all claims with the same lease, not one per request: claims wait in the order in which they arrived, which is the order in which they
/// are due, so adding and removing one changes a few pointers. (A claim whose store call was slow is due before those in front of it, and is renewed within a
/// third of the lease after it arrived.) Handlers that finish within a third of their lease, as nearly all do, cost no more.
/// A renewal that fails is retried every 1/12 of the lease, so the store can be unavailable for half of the lease without a loss.
/// </remarks>
internal sealed class LeaseKeeper : IDisposable
{
    private readonly ConcurrentDictionary<TimeSpan, Queue> _queues = new();
    private readonly StoreCalls _store;
    private readonly Telemetry _telemetry;
    private readonly TimeProvider _time;
    private readonly ILogger<LeaseKeeper> _logger;

    public LeaseKeeper(StoreCalls store, Telemetry telemetry, TimeProvider time, ILogger<LeaseKeeper> logger)
    {
        _store = store;
        _telemetry = telemetry;
        _time = time;
        _logger = logger;
        telemetry.ObserveClaims(() => Count);
    }

    /// <summary>The number of claims that it renews.</summary>
    public long Count => _queues.Values.Sum(static queue => queue.Count);

    /// <summary>The claims it renews at this moment, in no particular order.</summary>
    public IReadOnlyList<OwnedClaim> List()
    {
        var claims = new List<OwnedClaim>();
        foreach (var queue in _queues.Values)
        {
            queue.CopyTo(claims);
        }

        return claims;
    }

    /// <summary>Tells a running claim that an operator has deleted its record.</summary>
    public void Deleted(StoreKey key)
    {
        foreach (var claim in List())
        {
            if (claim.Key == key)
            {
                claim.Deleted();
            }
        }
    }

    /// <param name="claim">The claim.</param>
    /// <param name="leasedAt">The start of its lease, in ticks: its first third counts from then.</param>
    public void Keep(OwnedClaim claim, long leasedAt) => _queues.GetOrAdd(claim.Policy.ClaimDuration, static (lease, keeper) => new Queue(keeper, lease), this).Add(claim, leasedAt);

    /// <summary>Stops renewing a claim. It can be called at any time, and more than once.</summary>
    public static void Forget(OwnedClaim claim) => claim.Place.Queue?.Remove(claim);

    public void Dispose()
    {
        foreach (var queue in _queues.Values)
        {
            queue.Dispose();
        }
    }

    /// <summary>Renews the claim, and retries until the next third is due, when the next round takes over.</summary>
    private async Task RenewAsync(Queue queue, OwnedClaim claim)
    {
        var lease = claim.Policy.ClaimDuration;
        var until = MonotonicTime.After(_time.Ticks(), lease / 3);
        do
        {
            var leaseUntil = MonotonicTime.After(_time.Ticks(), lease);
            try
            {
                using var patience = new CancellationTokenSource(lease / 3, _time);
                if (await _store.RenewAsync(claim.Key, claim.Owner, claim.Policy, lease / 3, patience.Token))
                {
                    claim.Renewed(leaseUntil);
                }
                else if (queue.Contains(claim))
                {
                    // Also rejected if its response has been recorded in the meantime, even if its owner does not know yet: the record shows it.
                    var existing = await _store.ReadAsync(claim.Key, lease / 3, patience.Token);
                    if (existing?.Owner != claim.Owner && claim.EndLost())
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
        while (_time.Ticks() < until && queue.Contains(claim));
    }

    /// <summary>The position of a claim in a queue.</summary>
    internal struct Place
    {
        /// <summary>Null if it is in no queue.</summary>
        public Queue? Queue;

        /// <summary>The time of its next renewal, in ticks.</summary>
        public long DueAt;

        public OwnedClaim? Earlier;

        public OwnedClaim? Later;
    }

    /// <summary>The claims with one lease duration, first due first.</summary>
    internal sealed class Queue : IDisposable
    {
        private readonly LeaseKeeper _keeper;
        private readonly TimeSpan _third;
        private readonly Lock _lock = new();
        private readonly ITimer _timer;
        private OwnedClaim? _first;
        private OwnedClaim? _last;
        private bool _armed;
        private long _count;

        public Queue(LeaseKeeper keeper, TimeSpan lease)
        {
            _keeper = keeper;
            _third = lease / 3;
            _timer = SharedTimer.Create(keeper._time, static queue => ((Queue)queue!).RenewDue(), this, Timeout.InfiniteTimeSpan);
        }

        public long Count => Volatile.Read(ref _count);

        public void Add(OwnedClaim claim, long leasedAt)
        {
            lock (_lock)
            {
                claim.Place.Queue = this;
                _count++;
                Append(claim, leasedAt);
                Arm();
            }
        }

        public void Remove(OwnedClaim claim)
        {
            lock (_lock)
            {
                if (claim.Place.Queue is not null)
                {
                    Unlink(claim);
                    claim.Place.Queue = null;
                    _count--;
                }
            }
        }

        public bool Contains(OwnedClaim claim)
        {
            lock (_lock)
            {
                return claim.Place.Queue is not null;
            }
        }

        public void CopyTo(List<OwnedClaim> claims)
        {
            lock (_lock)
            {
                for (var claim = _first; claim is not null; claim = claim.Place.Later)
                {
                    claims.Add(claim);
                }
            }
        }

        public void Dispose() => _timer.Dispose();

        private void RenewDue()
        {
            var due = new List<OwnedClaim>();
            lock (_lock)
            {
                _armed = false;
                var now = _keeper._time.Ticks();
                while (_first is { } first && first.Place.DueAt <= now)
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
            claim.Place.DueAt = MonotonicTime.After(now, _third);
            claim.Place.Earlier = _last;
            if (_last is { } earlier)
            {
                earlier.Place.Later = claim;
            }
            else
            {
                _first = claim;
            }

            _last = claim;
        }

        private void Unlink(OwnedClaim claim)
        {
            ref var place = ref claim.Place;
            if (place.Earlier is { } earlier)
            {
                earlier.Place.Later = place.Later;
            }
            else
            {
                _first = place.Later;
            }

            if (place.Later is { } later)
            {
                later.Place.Earlier = place.Earlier;
            }
            else
            {
                _last = place.Earlier;
            }

            place.Earlier = place.Later = null;
        }

        // Set once for the first in line, and not changed when that claim ends early: waking up three times per lease for nothing is cheaper
        // than setting a timer for every request.
        private void Arm()
        {
            if (!_armed && _first is { } first)
            {
                _armed = true;
                var wait = new TimeSpan(Math.Max(TimeSpan.TicksPerMillisecond, first.Place.DueAt - _keeper._time.Ticks()));
                _timer.Change(wait, Timeout.InfiniteTimeSpan);
            }
        }
    }
}
