namespace Idempotency.AspNetCore.Tests;

/// <summary>Several Redis servers that fail over to each other.</summary>
public abstract class RedisNodes : IAsyncDisposable
{
    private static readonly string[] Common = ["--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];

    /// <param name="safe">With <c>min-replicas-to-write</c>.</param>
    /// <param name="persistent">With an append-only file.</param>
    protected RedisNodes(bool safe, bool persistent)
    {
        Settings =
        [
            .. Common,
            .. (string[])(persistent ? ["--save", "", "--appendonly", "yes", "--appendfsync", "no"] : ["--save", "", "--appendonly", "no"]),
            .. (string[])(safe ? ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"] : []),
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

    /// <summary>Whether a primary has as many replicas as it asks for, so that it accepts writes.</summary>
    protected static async Task<bool> AcceptsWritesAsync(RedisNode primary) => await primary.InfoAsync("min_slaves_good_slaves") != "0";

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
