using System.Numerics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>
/// Stores records in the memory of this process: the default store. Records do not survive a restart and are not shared, so it is for a single process;
/// with several servers, use a store that they share.
/// </summary>
/// <remarks>
/// Claiming, completing and expiring cost the same with a million records as with ten. Expired records are removed a few at a time by later
/// claims, and once a minute for keys that are not used again.
/// </remarks>
public sealed class InMemoryIdempotencyStore : IIdempotencyStore, IAbandonedClaimSource, IDisposable
{
    // The cost of a record in addition to its payload: its place in the table (which doubles as it grows), and unused space in its page.
    private const int BytesPerRecord = 350;
    private const int RemovedPerClaim = 4;
    private const int RemovedPerSweep = 1000;
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);

    // Four per processor, so that requests seldom meet in one; not more, because the memory that claims use in each would no longer be in a processor cache.
    private static readonly int ShardBits = Math.Min(6, BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount)) + 2);

    private readonly RecordTable[] _shards = new RecordTable[1 << ShardBits];
    private readonly InMemoryIdempotencyStoreOptions _limits;
    private readonly TimeProvider _time;
    private readonly ITimer _sweeper;
    private long _records;
    private long _bytes;
    private long _lastExactSweep;

    /// <summary>Creates the store. Applications register it with <c>AddIdempotency()</c>.</summary>
    /// <param name="options">The limits of the store.</param>
    /// <param name="timeProvider">The clock.</param>
    public InMemoryIdempotencyStore(IOptions<InMemoryIdempotencyStoreOptions> options, TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(timeProvider);
        _limits = options.Value;
        _time = timeProvider;
        for (var i = 0; i < _shards.Length; i++)
        {
            _shards[i] = new RecordTable(ShardBits);
        }

        _sweeper = SharedTimer.Create(timeProvider, static store => ((InMemoryIdempotencyStore)store!).Sweep(exact: false), this, SweepInterval);
    }

    /// <summary>Payloads are never compressed: it would take most of the time of a request with a large body, and save neither network nor a paid byte.</summary>
    public int CompressionThreshold => int.MaxValue;

    /// <summary>The number of records, including those that have expired and are not removed yet.</summary>
    internal long Count => Interlocked.Read(ref _records);

    /// <summary>The bytes that count against <see cref="InMemoryIdempotencyStoreOptions.MaxBytes"/>.</summary>
    internal long Bytes => Interlocked.Read(ref _bytes);

    internal long MaxBytes => _limits.MaxBytes;

    /// <inheritdoc/>
    /// <exception cref="IdempotencyStoreFullException">A limit of the store is reached.</exception>
    public ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var result = TryClaim(key, claim);
        if (result is null && RemoveEverythingExpired())
        {
            result = TryClaim(key, claim);
        }

        return result is { } claimed ? ValueTask.FromResult(claimed) : throw new IdempotencyStoreFullException(
            $"The in-memory idempotency store is full ({Interlocked.Read(ref _records)} records, {Interlocked.Read(ref _bytes)} bytes). It never evicts a record before it expires, so it rejects new keys until records expire. " +
            "Increase MaxRecords or MaxBytes with AddInMemoryStore(options => ...), shorten the retention, or use an external store.");
    }

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Renew(key, owner, lease, retention, marks: false, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Renew(key, owner, lease, retention, marks: true, cancellationToken);

    private ValueTask<bool> Renew(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, bool marks, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            var now = _time.Ticks();
            var number = FindClaim(shard, key, owner, now);
            if (number == 0)
            {
                return ValueTask.FromResult(false);
            }

            shard[number].EffectsStarted |= marks;
            Lease(shard, number, now, lease, retention);
            return ValueTask.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            var now = _time.Ticks();
            var number = FindClaim(shard, key, owner, now);
            if (number == 0)
            {
                return ValueTask.FromResult(false);
            }

            ref var record = ref shard[number];
            if (steps.Version > record.StepsVersion)
            {
                SetPayload(shard, number, steps.Data, retention); // first, because if there is no memory for it, nothing is changed
                record.StepsVersion = steps.Version;
                record.EffectsStarted = steps.EffectsStarted;
                Lease(shard, number, now, lease, retention);
            }

            return ValueTask.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            var now = _time.Ticks();
            var number = FindClaim(shard, key, owner, now);
            if (number == 0)
            {
                return ValueTask.FromResult(false);
            }

            ref var record = ref shard[number];
            SetPayload(shard, number, payload, retention); // first, because if there is no memory for it, nothing is completed
            record.IsCompleted = true;
            record.EffectsStarted = false;
            record.StepsVersion = 0;
            shard.Schedule(number, MonotonicTime.After(now, retention));
            return ValueTask.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            var now = _time.Ticks();
            var number = FindClaim(shard, key, owner, now);
            if (number == 0 || shard[number].StepsVersion == 0)
            {
                return ValueTask.FromResult(Remove(shard, number));
            }

            ref var record = ref shard[number];
            record.Owner = Guid.Empty;
            record.EffectsStarted = false;
            record.LeaseUntil = now;
            return ValueTask.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            var now = _time.Ticks();
            var number = Find(shard, key, now);
            return ValueTask.FromResult(number == 0 ? null : Read(shard, number, now));
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var shard = ShardOf(key);
        lock (shard)
        {
            return ValueTask.FromResult(Remove(shard, Find(shard, key, _time.Ticks())));
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<AbandonedClaim> ListAbandonedAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var shard in _shards)
        {
            // One shard at a time, so that a request waits only for a small part of the search.
            var found = new List<AbandonedClaim>();
            lock (shard)
            {
                var now = _time.Ticks();
                foreach (var number in shard.Numbers())
                {
                    var record = shard[number];
                    if (!record.IsCompleted && record.LeaseUntil <= now && now < record.Due.GoneAt)
                    {
                        found.Add(new AbandonedClaim(record.Key, record.Attempt, new TimeSpan(now - record.LeaseUntil)));
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

    /// <summary>Replaces the payload of a record, and counts it.</summary>
    private void SetPayload(RecordTable shard, int number, ReadOnlyMemory<byte> payload, TimeSpan retention)
    {
        var before = shard[number].Payload.Length;
        shard.SetPayload(number, payload, retention);
        Interlocked.Add(ref _bytes, payload.Length - before);
    }

    private RecordTable ShardOf(StoreKey key) => _shards[key.GetHashCode() & (_shards.Length - 1)];

    /// <returns>The number of the record that an owner has in progress; 0 if there is none.</returns>
    private int FindClaim(RecordTable shard, StoreKey key, Guid owner, long now)
    {
        var number = Find(shard, key, now);
        if (number == 0)
        {
            return 0;
        }

        ref var record = ref shard[number];
        return !record.IsCompleted && record.Owner == owner ? number : 0;
    }

    /// <summary>The record of a key. A record that is gone is removed here, so that its end is exact.</summary>
    private int Find(RecordTable shard, StoreKey key, long now)
    {
        var number = shard.Find(key);
        if (number != 0 && now >= shard[number].Due.GoneAt)
        {
            Remove(shard, number);
            return 0;
        }

        return number;
    }

    /// <returns>The outcome, or null if there is no room.</returns>
    private ClaimResult? TryClaim(StoreKey key, in IdempotencyClaim claim)
    {
        var shard = ShardOf(key);
        lock (shard)
        {
            var now = _time.Ticks();
            RemoveExpired(shard, now, RemovedPerClaim);
            var number = Find(shard, key, now);
            if (number == 0)
            {
                if (claim.Supersedes is not null)
                {
                    return ClaimResult.Held(null);
                }

                if (!TryReserve())
                {
                    return null;
                }

                number = shard.Add(key);
            }
            else if (!MaySupersede(shard[number], claim, now))
            {
                return ClaimResult.Held(Read(shard, number, now));
            }

            ref var record = ref shard[number];
            record.Owner = claim.Owner;
            record.Attempt = claim.Attempt;
            record.Fingerprint = claim.Fingerprint;
            Lease(shard, number, now, claim.Lease, claim.Retention);
            return claim.Supersedes is null ? ClaimResult.Acquired : ClaimResult.TookOver(shard.PayloadOf(number));
        }
    }

    private static bool MaySupersede(in RecordTable.Record record, in IdempotencyClaim claim, long now) =>
        record.Owner == claim.Supersedes && record.Attempt == claim.Attempt - 1 && record.Fingerprint == claim.Fingerprint
        && !record.IsCompleted && !record.EffectsStarted && record.LeaseUntil <= now;

    private static void Lease(RecordTable shard, int number, long now, TimeSpan lease, TimeSpan retention)
    {
        var until = shard[number].LeaseUntil = MonotonicTime.After(now, lease);
        shard.Schedule(number, MonotonicTime.After(until, retention));
    }

    private static IdempotencyRecord Read(RecordTable shard, int number, long now)
    {
        ref var record = ref shard[number];
        return new IdempotencyRecord
        {
            Status = record.IsCompleted ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
            Owner = record.Owner,
            Attempt = record.Attempt,
            Fingerprint = record.Fingerprint,
            Payload = shard.PayloadOf(number),
            EffectsStarted = record.EffectsStarted,
            LeaseRemaining = record.IsCompleted ? TimeSpan.Zero : new TimeSpan(record.LeaseUntil - now),
            RetentionRemaining = new TimeSpan(record.Due.GoneAt - now),
        };
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

    private bool Remove(RecordTable shard, int number)
    {
        if (number == 0)
        {
            return false;
        }

        Interlocked.Decrement(ref _records);
        Interlocked.Add(ref _bytes, -BytesPerRecord - shard[number].Payload.Length);
        shard.Remove(number);
        return true;
    }

    /// <returns>Whether there may be more.</returns>
    private bool RemoveExpired(RecordTable shard, long now, int most, bool exact = false)
    {
        for (var i = 0; i < most; i++)
        {
            if (!Remove(shard, shard.NextDue(now, exact)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>When the store is full, also removes records that have just expired; at most once a second, so that a flood does not turn into searching.</summary>
    private bool RemoveEverythingExpired()
    {
        var now = _time.Ticks();
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
                // In portions, so that a request waits for at most a thousand removals.
                lock (shard)
                {
                    more = RemoveExpired(shard, _time.Ticks(), RemovedPerSweep, exact);
                }
            }
            while (more);
        }
    }
}
