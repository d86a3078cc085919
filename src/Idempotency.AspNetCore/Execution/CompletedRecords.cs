using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Completed records this process has seen, least recently used out first: a replay from here asks no store.</summary>
/// <remarks>
/// <para>Only completed records: they never change, so there is nothing to invalidate but what an operator deletes, which a process that has seen
/// it may go on replaying for its retention; and what is here can never say "in progress" too long.</para>
/// <para>A dictionary and a linked list under one lock: every operation is a few pointer moves.</para>
/// <para>Not <c>Microsoft.Extensions.Caching.Memory</c>, which was measured (<c>local-cache</c> in the benchmarks) with a size limit that holds both bounds. 1. When it is full it makes room in the
/// background and drops what is set meanwhile: of a flood of new keys, 32 % were not there right after they were set. A response that has just been recorded is the one whose retry is most likely, and one
/// that could not be recorded is nowhere but here. 2. It boxes the key: 48 bytes for every lookup, also of a first execution, where this allocates nothing; and a lookup takes 45 ns, not 10.
/// 3. One limit is not two bounds: a large record would displace small ones although there are bytes to spare. On a skewed sequence of keys both find as much (73 to 76 %).</para>
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

    /// <summary>Now, for a question to the store whose reply may be cached.</summary>
    public AskedAt Asking() => new(_time.Ticks(), Removals);

    /// <summary>The record of a key while its retention lasts.</summary>
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

    /// <summary>Keeps a record, or keeps it again after it has grown (see <see cref="CompletedRecord.Size"/>).</summary>
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
    /// How many records an operator has had forgotten. What was asked of the store before one of them is not kept after it: it may be the very
    /// record. (Any other is looked up once more.)
    /// </summary>
    public int Removals => Volatile.Read(ref _removals);

    /// <summary>Forgets a record.</summary>
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

    /// <summary>How long a record still is to be kept.</summary>
    public TimeSpan RetentionLeft(CompletedRecord record) => MonotonicTime.Until(record.ExpiresAt, _time.Ticks());

    private void Remove(LinkedListNode<Entry> node)
    {
        _byUse.Remove(node);
        _entries.Remove(node.Value.Key);
        _bytes -= node.Value.Size;
    }

    private readonly record struct Entry(StoreKey Key, CompletedRecord Record, long Size);
}
