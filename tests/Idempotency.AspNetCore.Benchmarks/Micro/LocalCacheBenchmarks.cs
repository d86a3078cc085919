using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The local cache of completed records, full.</summary>
[MemoryDiagnoser]
public class LocalCacheBenchmarks
{
    private readonly CompletedRecords _cache = LocalCaches.Create();
    private readonly StoreKey[] _keys = [.. Enumerable.Range(0, 20_000).Select(i => new StoreKey(Sha256Hash.Of(BitConverter.GetBytes(i))))];
    private readonly byte[] _payload = new byte[200];
    private int _next;

    [GlobalSetup]
    public void Fill()
    {
        foreach (var key in _keys)
        {
            _cache.Set(key, new CompletedRecord(new Fingerprint(key.Hash), _payload, long.MaxValue));
        }
    }

    [Benchmark]
    public bool Hit() => _cache.TryGet(_keys[^1], out _);

    [Benchmark]
    public bool Miss() => _cache.TryGet(default, out _);

    /// <summary>A new record for the one least recently used.</summary>
    [Benchmark]
    public void SetAndEvict()
    {
        _next = _next == _keys.Length - 1 ? 0 : _next + 1;
        _cache.Set(_keys[_next], new CompletedRecord(default, _payload, long.MaxValue));
    }
}
