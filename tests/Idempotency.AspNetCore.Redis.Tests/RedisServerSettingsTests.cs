using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.Redis.Tests;

/// <summary>Servers whose settings cannot keep what is promised are named in the log.</summary>
public sealed class RedisServerSettingsTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_server_that_can_lose_records_is_named_when_it_is_connected_to(bool isShared)
    {
        using var primary = new RedisNode(["--save", "", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
        await primary.StartAsync();
        using var replica = new RedisNode(["--save", "", "--replicaof", "127.0.0.1", $"{primary.Port}"]);
        await replica.StartAsync();
        await RedisNode.UntilAsync(async () => await primary.InfoAsync("connected_slaves") == "1");
        var log = new FakeLogCollector();
        using var shared = isShared ? await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{primary.Port}") : null;

        using var store = RedisStoreTests.Create(isShared ? null : $"127.0.0.1:{primary.Port}", shared: shared, log: log);
        await store.ReadAsync(RedisStoreTests.NewKey(), default);
        await RedisNode.UntilAsync(() => Task.FromResult(log.Entries.Any()));

        var (level, _, text) = Assert.Single(log.Entries);
        Assert.Equal(LogLevel.Warning, level);
        foreach (var part in (string[])[$"127.0.0.1:{primary.Port}", "maxmemory-policy is 'allkeys-lru'", "appendonly is 'no'", "min-replicas-to-write is 0"])
        {
            Assert.Contains(part, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_server_that_keeps_records_is_not_named()
    {
        using var primary = new RedisNode(["--save", "", "--maxmemory", "100mb", "--maxmemory-policy", "noeviction", "--appendonly", "yes", "--min-replicas-to-write", "1"]);
        await primary.StartAsync();
        Assert.Empty(await WarningsAsync(primary));
    }

    [Fact]
    public async Task A_server_that_may_not_be_asked_is_not_named()
    {
        using var primary = new RedisNode(["--save", ""]);
        await primary.StartAsync();
        Assert.Single(await WarningsAsync(primary));
        Assert.Equal("OK", await primary.AskAsync("ACL", "SETUSER", "default", "-info"));
        Assert.Empty(await WarningsAsync(primary));
    }

    [Theory]
    [InlineData("redis_version:6.2.14 min_slaves_good_slaves:1", "before Redis 7")]
    [InlineData("redis_version:7.0.15 min_slaves_good_slaves:1", null)]
    [InlineData("redis_version:6.2.14", null)]
    [InlineData("redis_version:7.2.4 valkey_version:8.1.1 min_slaves_good_slaves:0", null)]
    [InlineData("maxmemory:0 maxmemory_policy:allkeys-lru", null)]
    [InlineData("maxmemory:1000 maxmemory_policy:volatile-ttl", "maxmemory-policy is 'volatile-ttl'")]
    [InlineData("maxmemory:1000 maxmemory_policy:noeviction", null)]
    [InlineData("aof_enabled:0", "appendonly is 'no'")]
    [InlineData("aof_enabled:1 connected_slaves:0", null)]
    [InlineData("connected_slaves:2", "min-replicas-to-write is 0")]
    [InlineData("role:slave connected_slaves:0", "min-replicas-to-write is 0")]
    [InlineData("role:slave min_slaves_good_slaves:0", null)]
    [InlineData("connected_slaves:2 min_slaves_good_slaves:2", null)]
    public void What_INFO_tells_is_judged(string info, string? finding)
    {
        var fields = info.Split(' ').Select(field => field.Split(':')).ToDictionary(field => field[0], field => field[1]);
        var findings = RedisServerSettings.Findings(fields);
        if (finding is null)
        {
            Assert.Empty(findings);
        }
        else
        {
            Assert.Contains(finding, Assert.Single(findings), StringComparison.Ordinal);
        }
    }

    private static async Task<IReadOnlyCollection<(LogLevel Level, string Text)>> WarningsAsync(RedisNode node)
    {
        using var connection = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{node.Port}");
        var log = new FakeLogCollector();
        await RedisServerSettings.WarnAsync(connection.GetServers(), new FakeLogger(log));
        return [.. log.Entries.Select(entry => (entry.Level, entry.Text))];
    }
}
