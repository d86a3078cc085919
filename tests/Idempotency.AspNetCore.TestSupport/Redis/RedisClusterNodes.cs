namespace Idempotency.AspNetCore.Tests;

/// <summary>A Redis Cluster of three primaries, each with a replica or without.</summary>
public sealed class RedisClusterNodes : RedisNodes
{
    private const int Primaries = 3;
    private const int Slots = 16384;
    private readonly int[] _busPorts;

    /// <param name="hasReplicas">One for each primary: without there is no failover.</param>
    /// <param name="safe">With <c>min-replicas-to-write</c>.</param>
    /// <param name="persistent">With an append-only file.</param>
    /// <param name="nodeTimeout">After which a server counts as dead, in milliseconds; Redis's own default is 15000.</param>
    public RedisClusterNodes(bool hasReplicas, bool safe = false, bool persistent = false, int nodeTimeout = 1500)
        : base(safe, persistent)
    {
        _busPorts = [.. Enumerable.Range(0, hasReplicas ? 2 * Primaries : Primaries).Select(_ => FreePort.Next())];
        Servers = [.. _busPorts.Select(bus => new RedisNode(
        [
            .. Settings,
            "--cluster-enabled", "yes", "--cluster-port", $"{bus}", "--cluster-node-timeout", $"{nodeTimeout}", "--cluster-replica-validity-factor", "0", "--cluster-allow-replica-migration", "no",
        ]))];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<RedisNode> Servers { get; }

    /// <inheritdoc/>
    public override IEnumerable<string> EntryPoints => Servers.Take(Primaries).Select(server => $"127.0.0.1:{server.Port}");

    /// <inheritdoc/>
    public override string Configuration => string.Join(',', EntryPoints);

    /// <inheritdoc/>
    protected override int PrimaryCount => Primaries;

    /// <inheritdoc/>
    public override async Task StartAsync()
    {
        await Task.WhenAll(Servers.Select(server => server.StartAsync()));
        for (var i = 0; i < Primaries; i++)
        {
            await DoAsync(Servers[i], "CLUSTER", "ADDSLOTSRANGE", $"{i * Slots / Primaries}", $"{((i + 1) * Slots / Primaries) - 1}");
            await DoAsync(Servers[i], "CLUSTER", "SET-CONFIG-EPOCH", $"{i + 1}");
        }

        for (var i = 1; i < Servers.Count; i++)
        {
            await DoAsync(Servers[0], "CLUSTER", "MEET", "127.0.0.1", $"{Servers[i].Port}", $"{_busPorts[i]}");
        }

        await UntilAllSayAsync("cluster_state:ok", $"cluster_known_nodes:{Servers.Count}");
        for (var i = Primaries; i < Servers.Count; i++)
        {
            var id = await Servers[i - Primaries].AskAsync("CLUSTER", "MYID");
            await RedisNode.UntilAsync(async () => await Servers[i].AskAsync("CLUSTER", "REPLICATE", id) == "OK");
        }

        await HealAsync();
    }

    /// <inheritdoc/>
    public override async Task HealAsync()
    {
        await Task.WhenAll(Servers.Select(server => server.StartAsync()));
        await UntilAllSayAsync("cluster_state:ok", "cluster_slots_fail:0");
        if (Servers.Count > Primaries)
        {
            // After a failover each primary has the other one of its pair.
            var primaries = new List<RedisNode>();
            await RedisNode.UntilAsync(async () =>
            {
                var roles = await Task.WhenAll(Servers.Select(async server => (Role: await server.InfoAsync("role"), Replicas: await server.InfoAsync("connected_slaves"), Link: await server.InfoAsync("master_link_status"))));
                primaries = [.. Servers.Where((_, i) => roles[i] is { Role: "master", Replicas: "1" })];
                return primaries.Count == Primaries && roles.Count(server => server is { Role: "slave", Link: "up" }) == Primaries;
            });
            await Task.WhenAll(primaries.Select(primary => ReplicatesAsync(primary, replicas: 1)));
        }
    }

    private async Task UntilAllSayAsync(params string[] what)
    {
        foreach (var server in Servers)
        {
            await RedisNode.UntilAsync(async () => await server.AskAsync("CLUSTER", "INFO") is var info && what.All(line => info.Contains(line, StringComparison.Ordinal)));
        }
    }

    private static async Task DoAsync(RedisNode server, params string[] command)
    {
        if (await server.AskAsync(command) is not "OK" and var refusal)
        {
            throw new InvalidOperationException($"{string.Join(' ', command)}: {refusal}");
        }
    }
}
