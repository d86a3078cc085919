namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Three servers on Redis servers that fail over to each other. They connect to them without a proxy: Redis tells its clients where it is.</summary>
public abstract class FailoverCluster(RedisNodes nodes) : Cluster
{
    private bool _isStarted;

    public RedisNodes Nodes => nodes;

    protected override string CountedText => "";

    protected override IReadOnlyDictionary<string, string> Settings(int port) => new Dictionary<string, string>
    {
        ["Store"] = "Redis",
        ["Redis__Configuration"] = nodes.Configuration,
    };

    public override async Task StartStoreAsync()
    {
        if (_isStarted)
        {
            await nodes.HealAsync();
        }
        else
        {
            _isStarted = true;
            await nodes.StartAsync();
        }
    }

    public override void KillStore()
    {
        foreach (var node in nodes.Servers)
        {
            node.Kill();
        }
    }

    public override void ThawStore()
    {
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await nodes.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected override Task<ServerProcess> StartStoreAsync(int port) => throw new NotSupportedException("It is several servers.");
}

/// <summary>On a Redis Cluster of three primaries, with a replica each.</summary>
public sealed class RedisClusterFailover() : FailoverCluster(new RedisClusterNodes(hasReplicas: true, safe: true, persistent: true));

/// <summary>On a primary and two replicas behind Sentinel.</summary>
public sealed class RedisSentinelFailover() : FailoverCluster(new RedisSentinelNodes(safe: true, persistent: true));
