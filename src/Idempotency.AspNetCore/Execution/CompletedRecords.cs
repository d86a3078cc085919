using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>The local cache of completed records, which removes the least recently used record first. A replay from here needs no store call.</summary>
/// <remarks>
/// <para>It contains only completed records: they never change, so nothing needs to be invalidated except records that an operator deletes, which another process
/// can replay until their retention ends. And the cache can never report "in progress" for too long.</para>
/// <para>It is a dictionary and a linked list with one lock: each operation changes a few pointers.</para>
/// <para><c>Microsoft.Extensions.Caching.Memory</c> was measured (<c>local-cache</c> in the benchmarks) with a size limit for both bounds, and was not used. 1. When it is full, it makes room in the
/// background and drops new entries in the meantime: in a flood of new keys, 32 % were missing right after they were set. A response that was just recorded is the most likely one to be retried, and one
/// that could not be recorded exists only here. 2. It boxes the key: 48 bytes for every lookup, also in a first execution, where this cache allocates nothing; and a lookup takes 45 ns instead of 10.
/// 3. One limit does not replace two bounds: a large record would displace small ones although there is memory to spare. With a skewed sequence of keys, both find the same share (73 to 76 %).</para>
/// </remarks>
internal sealed class CompletedRecords
{
    private readonly int _maxEntries;
    private readonly long _maxBytes;
    private readonly TimeProvider _time;
    private readonly Dictionary<StoreKey, LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _byUse = [];
    private readonly Lock _lock = new();
    private long _bytes;
    private int _removals;

    public CompletedRecords(IOptions<IdempotencyOptions> options, Telemetry telemetry, TimeProvider time)
    {
        _maxEntries = options.Value.LocalCacheMaxEntries;
        _maxBytes = options.Value.LocalCacheMaxBytes;
        _time = time;
        telemetry.ObserveLocalCache(() => Count, () => Bytes);
    }

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    public long Bytes
    {
        get
        {
            lock (_lock)
            {
                return _bytes;
            }
        }
    }

    /// <summary>The current time, for a call to the store whose result can be cached.</summary>
    public AskedAt Asking() => new(_time.Ticks(), Removals);

    /// <summary>Finds the record of a key, until its retention ends.</summary>
    public bool TryGet(StoreKey key, [NotNullWhen(true)] out CompletedRecord? record)
    {
        record = null;
        if (_maxEntries == 0)
        {
            return false;
        }

        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out var node))
            {
                return false;
            }

            if (_time.Ticks() >= node.Value.Record.ExpiresAt)
            {
                Remove(node);
                return false;
            }

            _byUse.Remove(node);
            _byUse.AddFirst(node);
            record = node.Value.Record;
            return true;
        }
    }

    /// <summary>Adds a record, or updates its size after it has grown (see <see cref="CompletedRecord.Size"/>).</summary>
    public void Set(StoreKey key, CompletedRecord record)
    {
        var size = record.Size;
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out var old))
            {
                Remove(old);
            }

            if (_maxEntries == 0 || size > _maxBytes || record.Removals != _removals || _time.Ticks() >= record.ExpiresAt)
            {
                return;
            }

            while (_entries.Count >= _maxEntries || _bytes + size > _maxBytes)
            {
                Remove(_byUse.Last!);
            }

            _entries.Add(key, _byUse.AddFirst(new Entry(key, record, size)));
            _bytes += size;
        }
    }

    /// <summary>
    /// The number of records that operators have deleted. The result of a store call that started before a deletion is not cached after it, because it may be the deleted
    /// record. (Other records are then read once more.)
    /// </summary>
    public int Removals => Volatile.Read(ref _removals);

    /// <summary>Removes a record.</summary>
    public void Remove(StoreKey key)
    {
        lock (_lock)
        {
            _removals++;
            if (_entries.TryGetValue(key, out var node))
            {
                Remove(node);
            }
        }
    }

    /// <summary>The rest of a record's retention.</summary>
    public TimeSpan RetentionLeft(CompletedRecord record) => MonotonicTime.Until(record.ExpiresAt, _time.Ticks());

    private void Remove(LinkedListNode<Entry> node)
    {
        _byUse.Remove(node);
        _entries.Remove(node.Value.Key);
        _bytes -= node.Value.Size;
    }

    private readonly record struct Entry(StoreKey Key, CompletedRecord Record, long Size);
}
