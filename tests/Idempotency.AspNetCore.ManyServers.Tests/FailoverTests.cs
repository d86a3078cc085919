namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Redis primaries that die while requests are claimed, run and completed.</summary>
public abstract class FailoverTests(FailoverCluster cluster, ITestOutputHelper output) : RandomRunTests(cluster, output)
{
    // No lease ends within a failover: whatever runs twice has lost its record.
    protected override IReadOnlyList<string> Endpoints => ["patient", "patient-wait"];

    [Fact]
    public async Task A_completion_outlasts_the_failover_that_it_falls_into()
    {
        var gate = Cluster.NewGate();
        var keys = Enumerable.Range(0, 12).Select(_ => Cluster.NewKey()).ToList();
        var first = keys.Select(key => A.PostAsync("patient", key, new Ask(gate))).ToList();
        foreach (var key in keys)
        {
            await RunsAsync(key);
        }

        (await cluster.Nodes.PrimaryAsync()).Kill();
        gate.Open();
        await cluster.Nodes.FailedOverAsync();
        await cluster.Nodes.HealAsync(); // a new primary accepts no writes until it has a replica
        var answers = await Task.WhenAll(first);

        Assert.All(answers, answer => Assert.Equal((200, false), (answer.Status, answer.IsUnstored)));
        foreach (var (key, answer) in keys.Zip(answers))
        {
            await AllReplayAsync("patient", key, answer);
            Assert.Single(Cluster.Effects.Of(key));
        }
    }

    /// <summary>Kills primaries, and starts them again: at once, while the others elect, or long after.</summary>
    protected override async Task FaultsAsync(Random random, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            await Task.Delay(random.Next(500, 2000), CancellationToken.None);
            var primary = await cluster.Nodes.PrimaryAsync(random.Next(100));
            primary.Kill();
            Note("primary killed");
            await Task.Delay(random.Next(3) * random.Next(500, 3000), CancellationToken.None);
            await cluster.Nodes.HealAsync();
        }
    }
}

public sealed class RedisClusterFailoverTests(RedisClusterFailover cluster, ITestOutputHelper output) : FailoverTests(cluster, output), IClassFixture<RedisClusterFailover>;

public sealed class RedisSentinelFailoverTests(RedisSentinelFailover cluster, ITestOutputHelper output) : FailoverTests(cluster, output), IClassFixture<RedisSentinelFailover>;
