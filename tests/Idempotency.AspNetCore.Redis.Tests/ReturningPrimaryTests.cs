using System.Diagnostics;

namespace Idempotency.AspNetCore.Redis.Tests;

/// <summary>A primary that was killed comes back, and calls itself the primary until it is told otherwise. Clients follow it.</summary>
public sealed class ReturningPrimaryTests(ITestOutputHelper output)
{
    private const int Keys = 300;
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public enum Topology
    {
        OneServer,
        Sentinel,
        Cluster,
    }

    /// <summary>What must hold. IDEMPOTENCY_TEST_TOPOLOGIES=all adds what need not: for the figures of the README.</summary>
    public static TheoryData<Topology, bool, bool, bool> Topologies()
    {
        var data = new TheoryData<Topology, bool, bool, bool>
        {
            { Topology.Sentinel, true, false, false },
            { Topology.Cluster, true, true, true },
        };
        if (Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_TOPOLOGIES") == "all")
        {
            data.Add(Topology.OneServer, false, false, true);
            data.Add(Topology.OneServer, false, true, true);
            foreach (var topology in (Topology[])[Topology.Sentinel, Topology.Cluster])
            {
                foreach (var (isSafe, isPersistent, isAtOnce) in ((bool, bool, bool)[])[(false, false, false), (false, true, false), (true, false, false), (true, true, false), (false, false, true), (false, true, true), (true, false, true), (true, true, true)])
                {
                    data.Add(topology, isSafe, isPersistent, isAtOnce);
                }
            }
        }

        return data;
    }

    /// <param name="topology">The servers.</param>
    /// <param name="isSafe">With <c>min-replicas-to-write</c>.</param>
    /// <param name="isPersistent">With an append-only file.</param>
    /// <param name="isAtOnce">The primary comes back before anybody has noticed; else after the failover.</param>
    [Theory]
    [MemberData(nameof(Topologies))]
    public async Task No_completed_key_is_granted_again_when_a_former_primary_comes_back(Topology topology, bool isSafe, bool isPersistent, bool isAtOnce)
    {
        await using RedisNodes nodes = topology switch
        {
            Topology.OneServer => new RedisSingleNode(isPersistent),
            Topology.Sentinel => new RedisSentinelNodes(isSafe, isPersistent),
            _ => new RedisClusterNodes(hasReplicas: true, isSafe, isPersistent),
        };
        await nodes.StartAsync();
        var killed = Stopwatch.StartNew();
        var completed = new List<StoreKey>();
        var granted = new HashSet<StoreKey>();
        using var store = Create();
        await CompleteAsync();

        (topology == Topology.OneServer ? nodes.Servers[0] : await nodes.PrimaryAsync()).Kill();
        killed.Restart();
        if (!isAtOnce)
        {
            await nodes.FailedOverAsync();
            await CompleteAsync();
        }

        var healed = nodes.HealAsync();
        var errors = 0;
        var lastError = TimeSpan.Zero;
        do
        {
            using var fresh = Create();
            await Task.WhenAll(TryAllAsync(store), TryAllAsync(fresh));
        }
        while (!healed.IsCompleted);
        await healed;
        await TryAllAsync(store);

        output.WriteLine($"{topology}, min-replicas-to-write {(isSafe ? 1 : 0)}, appendonly {(isPersistent ? "yes" : "no")}, back {(isAtOnce ? "at once" : "after the failover")}: "
            + $"{granted.Count} of {completed.Count} completed keys granted again; {errors} errors, the last after {lastError.TotalSeconds:F1} s");
        if (isSafe && (isPersistent || !isAtOnce))
        {
            Assert.Empty(granted);
        }

        RedisIdempotencyStore Create() => RedisStoreTests.Create(nodes.Configuration, options => (options.KeyPrefix, options.CallTimeout) = ("returning:", TimeSpan.FromSeconds(2)));

        // In a cluster a primary that has just taken over accepts no writes, where these ask for the replica that it was itself.
        Task CompleteAsync() => Parallel.ForEachAsync(Enumerable.Range(0, Keys), async (_, _) =>
        {
            var isDone = false;
            do
            {
                var (key, claim) = (RedisStoreTests.NewKey(), RedisStoreTests.NewClaim());
                try
                {
                    if ((await store.ClaimAsync(key, claim, default)).IsAcquired && await store.CompleteAsync(key, claim.Owner, new byte[100], Hour, default))
                    {
                        lock (completed)
                        {
                            completed.Add(key);
                        }

                        isDone = true;
                    }
                }
                catch (Exception) when (killed.Elapsed < Patience)
                {
                    await Task.Delay(100, CancellationToken.None);
                }
            }
            while (!isDone && (topology != Topology.Cluster || !isSafe));
        });

        Task TryAllAsync(RedisIdempotencyStore through) => Parallel.ForEachAsync(completed, async (key, _) =>
        {
            try
            {
                if ((await through.ClaimAsync(key, RedisStoreTests.NewClaim(), default)).IsAcquired)
                {
                    lock (granted)
                    {
                        granted.Add(key);
                    }
                }
            }
            catch (Exception)
            {
                lock (granted)
                {
                    errors++;
                    lastError = killed.Elapsed;
                }
            }
        });
    }
}
