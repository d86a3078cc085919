using System.Globalization;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Three servers on one Redis.</summary>
public sealed class RedisCluster : Cluster
{
    protected override string CountedText => "";

    protected override IReadOnlyDictionary<string, string> Settings(int port) => new Dictionary<string, string>
    {
        ["Store"] = "Redis",
        ["Redis__Configuration"] = $"127.0.0.1:{port},connectTimeout=1000",
    };

    // The append-only file is written before the reply: a killed process loses nothing, and only a machine would.
    protected override Task<ServerProcess> StartStoreAsync(int port) => RedisServer.StartAsync(port, "--dir", Folder, "--appendonly", "yes", "--appendfsync", "no");

    /// <summary>By the server's own statistics: scripts that ran, by hash or by text. Nothing else is sent for a record.</summary>
    public override async Task<long> CountStoreCallsAsync()
    {
        await using var observer = new Observer(await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{StorePort},allowAdmin=true"));
        var statistics = await observer.Connection.GetServer("127.0.0.1", StorePort).InfoAsync("commandstats");
        return statistics.Single()
            .Where(command => command.Key is "cmdstat_evalsha" or "cmdstat_eval")
            .Sum(command => long.Parse(command.Value.Split(',')[0]["calls=".Length..], CultureInfo.InvariantCulture));
    }

    private sealed record Observer(ConnectionMultiplexer Connection) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Connection.CloseAsync();
            Connection.Dispose();
        }
    }
}

[CollectionDefinition("Redis")]
public sealed class RedisServers : ICollectionFixture<RedisCluster>;
