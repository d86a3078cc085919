using System.Globalization;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Several Redis servers that fail over to each other.</summary>
public abstract class RedisNodes : IAsyncDisposable
{
    private static readonly string[] Common = ["--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];

    /// <param name="safe">With <c>min-replicas-to-write</c>.</param>
    /// <param name="persistent">With an append-only file.</param>
    /// <param name="maxLag">After which a replica that does not acknowledge no longer counts for that, in seconds.</param>
    protected RedisNodes(bool safe, bool persistent, int maxLag = 2)
    {
        Settings =
        [
            .. Common,
            .. (string[])(persistent ? ["--save", "", "--appendonly", "yes", "--appendfsync", "no"] : ["--save", "", "--appendonly", "no"]),
            .. (string[])(safe ? ["--min-replicas-to-write", "1", "--min-replicas-max-lag", $"{maxLag}"] : []),
        ];
    }

    /// <summary>What every server is started with.</summary>
    protected IReadOnlyList<string> Settings { get; }

    /// <summary>The servers that keep data.</summary>
    public abstract IReadOnlyList<RedisNode> Servers { get; }

    /// <summary>Where a client begins, as host and port.</summary>
    public abstract IEnumerable<string> EntryPoints { get; }

    /// <summary>A configuration string for the store.</summary>
    public abstract string Configuration { get; }

    /// <summary>Starts all servers, and returns when each primary accepts writes and has its replicas.</summary>
    public abstract Task StartAsync();

    /// <summary>Starts what is not running, and returns when each primary accepts writes and has its replicas again.</summary>
    public abstract Task HealAsync();

    /// <summary>How many servers are primaries when all is well.</summary>
    protected abstract int PrimaryCount { get; }

    /// <summary>Returns when others have taken the place of primaries that were killed. (They accept no writes yet where these ask for a replica that was killed.)</summary>
    public Task FailedOverAsync() => RedisNode.UntilAsync(async () => (await RolesAsync()).Count(role => role == "master") >= PrimaryCount);

    /// <summary>A running server that has replicas to fail over to.</summary>
    public async Task<RedisNode> PrimaryAsync(int which = 0)
    {
        var primaries = new List<RedisNode>();
        await RedisNode.UntilAsync(async () =>
        {
            primaries.Clear();
            foreach (var server in Servers.Where(server => server.IsRunning))
            {
                if (await server.InfoAsync("role") == "master" && await server.InfoAsync("connected_slaves") is not ("" or "0"))
                {
                    primaries.Add(server);
                }
            }

            return primaries.Count > 0;
        });
        return primaries[which % primaries.Count];
    }

    /// <summary>Returns when every replica of a primary receives what it writes from now on.</summary>
    /// <remarks>
    /// A replica that has just had the whole data counts as good, and receives nothing more until it has acknowledged that, which it does once a second. What is
    /// written meanwhile is lost if the primary is. So that it acknowledges something newer (a primary that is idle sends a PING every second) is waited for.
    /// </remarks>
    protected static async Task ReplicatesAsync(RedisNode primary, int replicas)
    {
        long from = 0;
        await RedisNode.UntilAsync(async () => long.TryParse(await primary.InfoAsync("master_repl_offset"), CultureInfo.InvariantCulture, out from));
        await RedisNode.UntilAsync(async () => (await Task.WhenAll(Enumerable.Range(0, replicas).Select(async i => Acknowledged(await primary.InfoAsync($"slave{i}"))))).All(offset => offset > from));
    }

    private static long Acknowledged(string replica) =>
        replica.Split(',').FirstOrDefault(field => field.StartsWith("offset=", StringComparison.Ordinal)) is { } offset ? long.Parse(offset["offset=".Length..], CultureInfo.InvariantCulture) : 0;

    private async Task<string[]> RolesAsync() => await Task.WhenAll(Servers.Where(server => server.IsRunning).Select(server => server.InfoAsync("role")));

    /// <inheritdoc/>
    public virtual ValueTask DisposeAsync()
    {
        foreach (var server in Servers)
        {
            server.Dispose();
        }

        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}
