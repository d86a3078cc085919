namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>What a request costs at the store, counted there.</summary>
public abstract class RoundTripTests(Cluster cluster) : ClusterTests(cluster)
{
    public override async ValueTask InitializeAsync()
    {
        // Processes of its own: no other test's work in the background is counted.
        foreach (var server in Cluster.Servers)
        {
            server.Kill();
        }

        await base.InitializeAsync();
        await A.PostAsync("patient", Cluster.NewKey(), new Ask(Fail: true)); // Redis is told each script once, releasing too
    }

    [Fact]
    public async Task A_first_execution_takes_two_calls_a_cold_replay_one_and_a_warm_replay_none()
    {
        var key = Cluster.NewKey();

        Assert.Equal(2, await CallsAsync(async () => Assert.False((await A.PostAsync("patient", key)).IsReplay)));
        Assert.Equal(0, await CallsAsync(async () => Assert.True((await A.PostAsync("patient", key)).IsReplay)));
        Assert.Equal(1, await CallsAsync(async () => Assert.True((await B.PostAsync("patient", key)).IsReplay)));
        Assert.Equal(0, await CallsAsync(async () => Assert.True((await B.PostAsync("patient", key)).IsReplay)));
    }

    [Fact]
    public async Task A_conflict_takes_one_call()
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("patient", key, new Ask(gate));
        await RunsAsync(key);

        Assert.Equal(1, await CallsAsync(async () => Assert.Equal(Answer.InProgress, (await B.PostAsync("patient", key)).Code)));
        Assert.Equal(1, await CallsAsync(async () => Assert.Equal(Answer.InProgress, (await A.PostAsync("patient", key)).Code)));
        gate.Open();
        Assert.True((await first).IsSuccess);
    }

    [Fact]
    public async Task A_failure_that_gives_its_key_back_takes_two_calls() =>
        Assert.Equal(2, await CallsAsync(async () => Assert.Equal(500, (await A.PostAsync("patient", Cluster.NewKey(), new Ask(Fail: true))).Status)));

    private async Task<long> CallsAsync(Func<Task> act)
    {
        var before = await Cluster.CountStoreCallsAsync();
        await act();
        return await Cluster.CountStoreCallsAsync() - before;
    }
}

[Collection("Redis")]
public sealed class RedisRoundTripTests(RedisCluster cluster) : RoundTripTests(cluster);

[Collection("DynamoDB")]
public sealed class DynamoDBRoundTripTests(DynamoDBCluster cluster) : RoundTripTests(cluster);
