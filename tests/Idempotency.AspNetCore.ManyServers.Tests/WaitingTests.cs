using System.Diagnostics;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Duplicates that wait on one server for a handler on another.</summary>
public abstract class WaitingTests(Cluster cluster, ITestOutputHelper output) : ClusterTests(cluster)
{
    [Fact]
    public async Task Looks_at_least_four_times_a_second_at_a_claim_of_another_server()
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("patient-wait", key, new Ask(gate));
        await RunsAsync(key);
        var waiting = B.PostAsync("patient-wait", key);

        // A look is a call at the store: nobody else makes one. They come farther and farther apart, up to what is asked for here.
        var looks = new List<long>();
        var last = await Cluster.CountStoreCallsAsync();
        await Eventually.GetAsync(
            async () =>
            {
                var count = await Cluster.CountStoreCallsAsync();
                looks.AddRange(Enumerable.Repeat(Stopwatch.GetTimestamp(), (int)(count - last)));
                last = count;
                return looks.Count;
            },
            count => count >= 15);
        gate.Open();

        Assert.Equal((await first).Body, (await waiting).Body);
        var gaps = looks.Zip(looks.Skip(1), Stopwatch.GetElapsedTime).Skip(5).Order().ToList();
        output.WriteLine($"Between looks: {string.Join(", ", gaps.Select(gap => $"{gap.TotalMilliseconds:F0} ms"))}");
        Assert.InRange(gaps[gaps.Count / 2], TimeSpan.Zero, TimeSpan.FromMilliseconds(900)); // 250 on an idle machine; with looks a second apart it would be more on any
    }
}

[Collection("Redis")]
public sealed class RedisWaitingTests(RedisCluster cluster, ITestOutputHelper output) : WaitingTests(cluster, output);

[Collection("DynamoDB")]
public sealed class DynamoDBWaitingTests(DynamoDBCluster cluster, ITestOutputHelper output) : WaitingTests(cluster, output);
