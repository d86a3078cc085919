namespace Idempotency.AspNetCore.Redis.Tests;

/// <summary>A store on servers of its own, for a class of tests.</summary>
public abstract class TopologyFixture(RedisNodes nodes, string inReadme) : IAsyncLifetime
{
    private RedisIdempotencyStore? _store;

    public RedisNodes Nodes => nodes;

    public RedisIdempotencyStore Store => _store!;

    public async ValueTask InitializeAsync()
    {
        await nodes.StartAsync();
        _store = RedisStoreTests.Create(Readme.Configuration(inReadme, [.. nodes.EntryPoints])); // here: concurrent claims that each made one would each have a key prefix of their own
    }

    public async ValueTask DisposeAsync()
    {
        _store?.Dispose();
        await nodes.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}

public sealed class ThreePrimaries() : TopologyFixture(new RedisClusterNodes(hasReplicas: false, nodeTimeout: 15_000), "node-1:6379");

public sealed class ThreeSentinels() : TopologyFixture(new RedisSentinelNodes(safe: true, downAfter: 30_000, maxLag: 60), "serviceName=payments");

/// <summary>The conformance tests of every store, on a Redis Cluster.</summary>
public sealed class RedisClusterConformanceTests(ThreePrimaries cluster) : StoreConformanceTests, IClassFixture<ThreePrimaries>
{
    protected override IIdempotencyStore Store => cluster.Store;

    protected override TimeSpan Brief => TimeSpan.FromSeconds(2);

    protected override Task PassAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System);
}

/// <summary>The conformance tests of every store, through Sentinel, on a primary that must have a replica to write.</summary>
public sealed class RedisSentinelConformanceTests(ThreeSentinels sentinels) : StoreConformanceTests, IClassFixture<ThreeSentinels>
{
    protected override IIdempotencyStore Store => sentinels.Store;

    protected override TimeSpan Brief => TimeSpan.FromSeconds(2);

    protected override Task PassAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System);
}

/// <summary>The conformance tests of every store, over RESP3.</summary>
public sealed class RedisResp3ConformanceTests : StoreConformanceTests, IDisposable
{
    private readonly RedisIdempotencyStore _store;

    public RedisResp3ConformanceTests(RedisServer server) => _store = RedisStoreTests.Create(server.Configuration + ",protocol=resp3");

    protected override IIdempotencyStore Store => _store;

    protected override TimeSpan Brief => TimeSpan.FromSeconds(2);

    protected override Task PassAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System);

    public void Dispose() => _store.Dispose();
}
