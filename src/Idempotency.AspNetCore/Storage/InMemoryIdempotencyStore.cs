using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>
/// Records in the memory of this process: the default. Nothing survives a restart and no other server sees it, so it fits one process;
/// with several, use a store they share.
/// </summary>
/// <remarks>
/// Claiming, completing and expiring cost the same with a million records as with ten. Expired records are removed a few at a time by the
/// claims that come after, and once a minute for keys that nobody asks for.
/// </remarks>
public sealed class InMemoryIdempotencyStore : IIdempotencyStore, IAbandonedClaimsLister, IDisposable
{
    // What a record costs beside its payload: the entry itself, its place in the dictionary (which doubles as it grows) and in the agenda.
    private const int BytesPerRecord = 350;
    private const int ShardCount = 64;
    private const int RemovedPerClaim = 4;
    private const int RemovedPerSweep = 1000;
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);

    private readonly Shard[] _shards = new Shard[ShardCount];
    private readonly InMemoryIdempotencyStoreOptions _limits;
    private readonly MonotonicClock _clock;
    private readonly ITimer _sweeper;
    private long _records;
    private long _bytes;
    private long _lastExactSweep;

    /// <summary>Creates the store. Applications register it with <c>AddIdempotency()</c>.</summary>
    /// <param name="options">Its bounds.</param>
    /// <param name="timeProvider">The clock.</param>
    public InMemoryIdempotencyStore(IOptions<InMemoryIdempotencyStoreOptions> options, TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(timeProvider);
        _limits = options.Value;
        _clock = new MonotonicClock(timeProvider);
        for (var i = 0; i < _shards.Length; i++)
        {
            _shards[i] = new Shard();
        }

        _sweeper = SharedTimer.Create(timeProvider, static store => ((InMemoryIdempotencyStore)store!).Sweep(exact: false), this, SweepInterval);
    }

    /// <summary>Payloads are kept as they are until they are large: in memory, the time to compress a small one is worth more than its bytes.</summary>
    public int CompressionThreshold => 64 * 1024;

    /// <summary>How many records there are, with those that have expired and are not yet removed.</summary>
    internal long Count => Interlocked.Read(ref _records);

    /// <summary>What is counted against <see cref="InMemoryIdempotencyStoreOptions.MaxBytes"/>.</summary>
    internal long Bytes => Interlocked.Read(ref _bytes);

    /// <inheritdoc/>
    /// <exception cref="IdempotencyStoreFullException">A bound of the store is reached.</exception>
    public ValueTask<ClaimResult> ClaimAsync(Sha256Hash key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var result = TryClaim(key, claim);
        if (result is null && RemoveEverythingExpired())
        {
            result = TryClaim(key, claim);
        }

        return result is { } claimed ? ValueTask.FromResult(claimed) : throw new IdempotencyStoreFullException(
            $"The in-memory idempotency store is full ({Interlocked.Read(ref _records)} records, {Interlocked.Read(ref _bytes)} bytes). It keeps what it promised to keep and refuses new keys until records expire. " +
            "Enlarge it with AddInMemoryStore(options => options.MaxRecords = ..., options.MaxBytes = ...), shorten the retention, or use a store of its own.");
    }

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(Sha256Hash key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            var now = _clock.Now;
            if (FindClaim(shard, key, owner, now) is not { } entry)
            {
                return ValueTask.FromResult(false);
            }

            entry.Lease(now, lease, retention);
            shard.Agenda.Schedule(entry);
            return ValueTask.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(Sha256Hash key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            var now = _clock.Now;
            if (FindClaim(shard, key, owner, now) is not { } entry)
            {
                return ValueTask.FromResult(false);
            }

            entry.IsCompleted = true;
            entry.Payload = payload;
            entry.GoneAt = MonotonicClock.Later(now, retention);
            shard.Agenda.Schedule(entry);
            Interlocked.Add(ref _bytes, payload.Length);
            return ValueTask.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(Sha256Hash key, Guid owner, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            var entry = FindClaim(shard, key, owner, _clock.Now);
            return ValueTask.FromResult(Remove(shard, entry));
        }
    }

    /// <inheritdoc/>
    public ValueTask<IdempotencyRecord?> ReadAsync(Sha256Hash key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            var now = _clock.Now;
            return ValueTask.FromResult(Find(shard, key, now)?.Read(now));
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(Sha256Hash key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            return ValueTask.FromResult(Remove(shard, Find(shard, key, _clock.Now)));
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<AbandonedClaim> ListAbandonedAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var shard in _shards)
        {
            // A shard at a time, so that a request waits for a sixty-fourth of the search at the most.
            var found = new List<AbandonedClaim>();
            lock (shard)
            {
                var now = _clock.Now;
                foreach (var (key, entry) in shard.Entries)
                {
                    if (!entry.IsCompleted && entry.LeaseUntil <= now && now < entry.GoneAt)
                    {
                        found.Add(new AbandonedClaim(key, entry.Attempt, new TimeSpan(now - entry.LeaseUntil)));
                    }
                }
            }

            foreach (var claim in found)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return claim;
            }

            await Task.CompletedTask;
        }
    }

    /// <summary>Stops removing expired records.</summary>
    public void Dispose() => _sweeper.Dispose();

    private Shard ShardOf(Sha256Hash key) => _shards[(uint)key.GetHashCode() % ShardCount];

    private Entry? FindClaim(Shard shard, Sha256Hash key, Guid owner, long now) =>
        Find(shard, key, now) is { IsCompleted: false } entry && entry.Owner == owner ? entry : null;

    /// <summary>The record of a key; one that is gone is removed here, so that its last moment is exact.</summary>
    private Entry? Find(Shard shard, Sha256Hash key, long now)
    {
        if (!shard.Entries.TryGetValue(key, out var entry))
        {
            return null;
        }

        if (now < entry.GoneAt)
        {
            return entry;
        }

        Remove(shard, entry);
        return null;
    }

    /// <returns>The outcome, or null when there is no room.</returns>
    private ClaimResult? TryClaim(Sha256Hash key, IdempotencyClaim claim)
    {
        var shard = ShardOf(key);
        lock (shard)
        {
            var now = _clock.Now;
            RemoveExpired(shard, now, RemovedPerClaim);
            if (Find(shard, key, now) is not { } entry)
            {
                if (claim.Supersedes is not null)
                {
                    return ClaimResult.Held(null);
                }

                if (!TryReserve())
                {
                    return null;
                }

                entry = new Entry { Key = key };
                shard.Entries.Add(key, entry);
            }
            else if (claim.Supersedes != entry.Owner || entry.IsCompleted || now < entry.LeaseUntil)
            {
                return ClaimResult.Held(entry.Read(now));
            }

            entry.Owner = claim.Owner;
            entry.Attempt = claim.Attempt;
            entry.Fingerprint = claim.Fingerprint;
            entry.Lease(now, claim.Lease, claim.Retention);
            shard.Agenda.Schedule(entry);
            return ClaimResult.Acquired;
        }
    }

    private bool TryReserve()
    {
        if (Interlocked.Increment(ref _records) <= _limits.MaxRecords & Interlocked.Add(ref _bytes, BytesPerRecord) <= _limits.MaxBytes)
        {
            return true;
        }

        Interlocked.Decrement(ref _records);
        Interlocked.Add(ref _bytes, -BytesPerRecord);
        return false;
    }

    private bool Remove(Shard shard, Entry? entry)
    {
        if (entry is null)
        {
            return false;
        }

        shard.Agenda.Cancel(entry);
        shard.Entries.Remove(entry.Key);
        Interlocked.Decrement(ref _records);
        Interlocked.Add(ref _bytes, -BytesPerRecord - entry.Payload.Length);
        return true;
    }

    /// <returns>Whether there may be more.</returns>
    private bool RemoveExpired(Shard shard, long now, int most, bool exact = false)
    {
        for (var i = 0; i < most; i++)
        {
            if (shard.Agenda.NextDue(now, exact) is not { } entry)
            {
                return false;
            }

            Remove(shard, entry);
        }

        return true;
    }

    /// <summary>When the store is full, also what has expired a moment ago; at most once a second, so that a flood does not turn into searching.</summary>
    private bool RemoveEverythingExpired()
    {
        var now = _clock.Now;
        var last = Interlocked.Read(ref _lastExactSweep);
        if (now - last < TimeSpan.TicksPerSecond || Interlocked.CompareExchange(ref _lastExactSweep, now, last) != last)
        {
            return false;
        }

        Sweep(exact: true);
        return true;
    }

    private void Sweep(bool exact)
    {
        foreach (var shard in _shards)
        {
            bool more;
            do
            {
                // In portions, so that a request waits for a thousand removals at the most.
                lock (shard)
                {
                    more = RemoveExpired(shard, _clock.Now, RemovedPerSweep, exact);
                }
            }
            while (more);
        }
    }

    private sealed class Shard
    {
        public Dictionary<Sha256Hash, Entry> Entries { get; } = [];

        public ExpiryAgenda<Entry> Agenda { get; } = new();
    }

    private sealed class Entry : ExpiryAgenda<Entry>.Item
    {
        public required Sha256Hash Key { get; init; }

        public Guid Owner { get; set; }

        public Sha256Hash Fingerprint { get; set; }

        public int Attempt { get; set; }

        public bool IsCompleted { get; set; }

        public ReadOnlyMemory<byte> Payload { get; set; }

        public long LeaseUntil { get; private set; }

        public void Lease(long now, TimeSpan lease, TimeSpan retention)
        {
            LeaseUntil = MonotonicClock.Later(now, lease);
            GoneAt = MonotonicClock.Later(LeaseUntil, retention);
        }

        public IdempotencyRecord Read(long now) => new()
        {
            Status = IsCompleted ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
            Owner = Owner,
            Attempt = Attempt,
            Fingerprint = Fingerprint,
            Payload = Payload,
            LeaseRemaining = IsCompleted ? TimeSpan.Zero : new TimeSpan(LeaseUntil - now),
            RetentionRemaining = new TimeSpan(GoneAt - now),
        };
    }
}
