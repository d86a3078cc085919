using Microsoft.Extensions.Caching.Memory;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The local cache as it would be on the framework's <see cref="MemoryCache"/>, at its leanest: no expiry of its own, no counting.</summary>
/// <remarks>
/// One limit stands for both bounds: an entry counts as much as its bytes, and at least as much as the share of bytes that each of the most entries has. So
/// neither bound is ever exceeded, and small records do not use all of the bytes.
/// </remarks>
internal sealed class MemoryCacheRecords(int maxEntries, long maxBytes, bool isCounting = false) : IDisposable
{
    private readonly MemoryCache _cache = new(new MemoryCacheOptions { SizeLimit = maxBytes, TrackStatistics = isCounting });
    private readonly long _share = (maxBytes + maxEntries - 1) / maxEntries;

    public int Count => _cache.Count;

    public long Size => _cache.GetCurrentStatistics()!.CurrentEstimatedSize!.Value;

    public bool TryGet(StoreKey key, out CompletedRecord? record) => _cache.TryGetValue(key, out record);

    public void Set(StoreKey key, CompletedRecord record)
    {
        using var entry = _cache.CreateEntry(key);
        entry.Value = record;
        entry.Size = Math.Max(record.Size, _share);
    }

    public void Dispose() => _cache.Dispose();
}
