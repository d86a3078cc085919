using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Completed records this process has seen, least recently used out first: a replay from here asks no store.</summary>
/// <remarks>
/// Only completed records: they never change, so there is nothing to invalidate but what an operator deletes, which a process that has seen
/// it may go on replaying for its retention; and what is here can never say "in progress" too long.
/// Not <c>MemoryCache</c>: that is no LRU (it compacts by scanning when it is full, which costs more the larger it is).
/// A dictionary and a linked list under one lock: every operation is a few pointer moves.
/// </remarks>
internal sealed class LocalCache(IOptions<IdempotencyOptions> options, TimeProvider time)
{
    private readonly int _maxEntries = options.Value.LocalCacheMaxEntries;
    private readonly long _maxBytes = options.Value.LocalCacheMaxBytes;
    private readonly MonotonicClock _clock = new(time);
    private readonly Dictionary<Sha256Hash, LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _byUse = [];
    private readonly Lock _lock = new();
    private long _bytes;
    private int _removals;

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

    /// <summary>The record of a key while its retention lasts.</summary>
    public bool TryGet(Sha256Hash key, [NotNullWhen(true)] out CompletedRecord? record)
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

            if (_clock.Now >= node.Value.Record.ExpiresAt)
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
    public void Set(Sha256Hash key, CompletedRecord record)
    {
        var size = record.Size;
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out var old))
            {
                Remove(old);
            }

            if (_maxEntries == 0 || size > _maxBytes || record.Removals != _removals || _clock.Now >= record.ExpiresAt)
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
    public void Remove(Sha256Hash key)
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
    public TimeSpan RetentionLeft(CompletedRecord record) => new(Math.Max(0, record.ExpiresAt - _clock.Now));

    private void Remove(LinkedListNode<Entry> node)
    {
        _byUse.Remove(node);
        _entries.Remove(node.Value.Key);
        _bytes -= node.Value.Size;
    }

    private readonly record struct Entry(Sha256Hash Key, CompletedRecord Record, long Size);
}
