namespace Idempotency.AspNetCore.Tests;

/// <summary>A primary with two replicas, watched by three sentinels.</summary>
public sealed class RedisSentinelNodes : RedisNodes
{
    /// <summary>What the sentinels call the primary.</summary>
    public const string ServiceName = "payments";

    private const int Count = 3;
    private readonly IReadOnlyList<RedisNode> _sentinels;
    private readonly int _downAfter;

    /// <param name="safe">With <c>min-replicas-to-write</c>.</param>
    /// <param name="persistent">With an append-only file.</param>
    /// <param name="downAfter">After which a server counts as down, in milliseconds.</param>
    /// <param name="maxLag">After which a replica that does not acknowledge no longer counts for <c>min-replicas-to-write</c>, in seconds.</param>
    public RedisSentinelNodes(bool safe = false, bool persistent = false, int downAfter = 1000, int maxLag = 2)
        : base(safe, persistent, maxLag)
    {
        _downAfter = downAfter;
        Servers = [.. Enumerable.Range(0, Count).Select(_ => new RedisNode(Settings))];
        _sentinels = [.. Servers.Select(beside => new RedisNode([SentinelConfiguration(beside), "--sentinel"]))];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<RedisNode> Servers { get; }

    /// <summary>The sentinels.</summary>
    public IReadOnlyList<RedisNode> Sentinels => _sentinels;

    /// <inheritdoc/>
    public override IEnumerable<string> EntryPoints => _sentinels.Select(sentinel => $"127.0.0.1:{sentinel.Port}");

    /// <inheritdoc/>
    public override string Configuration => string.Join(',', EntryPoints) + $",serviceName={ServiceName}";

    /// <summary>The server that the sentinels hold to be the primary.</summary>
    public async Task<RedisNode> ElectedAsync()
    {
        var address = (await _sentinels[0].AskAsync("SENTINEL", "GET-MASTER-ADDR-BY-NAME", ServiceName)).Split('\n');
        return Servers.Single(server => address[^1] == $"{server.Port}");
    }

    /// <inheritdoc/>
    protected override int PrimaryCount => 1;

    /// <inheritdoc/>
    public override async Task StartAsync()
    {
        await Task.WhenAll(Servers.Select(server => server.StartAsync()));
        foreach (var replica in Servers.Skip(1))
        {
            await replica.AskAsync("REPLICAOF", "127.0.0.1", $"{Servers[0].Port}");
        }

        foreach (var beside in Servers)
        {
            await File.WriteAllLinesAsync(SentinelConfiguration(beside),
            [
                $"sentinel monitor {ServiceName} 127.0.0.1 {Servers[0].Port} 2",
                $"sentinel down-after-milliseconds {ServiceName} {_downAfter}",
                $"sentinel failover-timeout {ServiceName} 5000",
                $"sentinel parallel-syncs {ServiceName} 2",
            ]);
        }

        await Task.WhenAll(_sentinels.Select(sentinel => sentinel.StartAsync()));
        await HealAsync();
    }

    /// <inheritdoc/>
    public override async Task HealAsync()
    {
        await Task.WhenAll(Servers.Select(server => server.StartAsync()));
        await RedisNode.UntilAsync(async () =>
        {
            if (await (await ElectedAsync()).InfoAsync("connected_slaves") != $"{Count - 1}")
            {
                return false;
            }

            var links = await Task.WhenAll(Servers.Select(server => server.InfoAsync("master_link_status")));
            var known = await Task.WhenAll(_sentinels.Select(async sentinel => await sentinel.AskAsync("SENTINEL", "MASTER", ServiceName)));
            return links.Count(link => link == "up") == Count - 1
                && known.All(told => told.Contains($"num-slaves\n{Count - 1}", StringComparison.Ordinal) && told.Contains($"num-other-sentinels\n{Count - 1}", StringComparison.Ordinal) && told.Contains("flags\nmaster\n", StringComparison.Ordinal));
        });
        await ReplicatesAsync(await ElectedAsync(), Count - 1);
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        foreach (var sentinel in _sentinels)
        {
            sentinel.Dispose();
        }

        return base.DisposeAsync();
    }

    private static string SentinelConfiguration(RedisNode beside) => Path.Combine(beside.Folder, "sentinel.conf");
}
