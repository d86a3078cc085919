using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The in-memory store.</summary>
[MemoryDiagnoser]
public class InMemoryStoreBenchmarks : IDisposable
{
    private readonly byte[] _payload = new byte[200];
    private InMemoryIdempotencyStore _store = Create();
    private long _number;

    // A fresh store for each iteration, which is so many operations: records stay, and no number of them is to be measured by chance.
    [IterationSetup]
    public void Empty()
    {
        _store.Dispose();
        _store = Create();
    }

    [Benchmark]
    [InvocationCount(65_536)]
    public async Task<bool> ClaimAndComplete()
    {
        var (key, owner) = await ClaimAsync();
        return await _store.CompleteAsync(key, owner, _payload, TimeSpan.FromHours(24), default);
    }

    [Benchmark]
    [InvocationCount(65_536)]
    public async Task<bool> ClaimAndRelease()
    {
        var (key, owner) = await ClaimAsync();
        return await _store.ReleaseAsync(key, owner, default);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _store.Dispose();
        GC.SuppressFinalize(this);
    }

    private async ValueTask<(StoreKey Key, Guid Owner)> ClaimAsync()
    {
        var key = new StoreKey(Sha256Hash.Of(BitConverter.GetBytes(_number++)));
        var owner = Guid.NewGuid();
        await _store.ClaimAsync(key, StoreFiller.Claim(owner, new Fingerprint(key.Hash)), default);
        return (key, owner);
    }

    private static InMemoryIdempotencyStore Create() => new(Options.Create(new InMemoryIdempotencyStoreOptions()), TimeProvider.System);
}
