using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>Settings of a server with which it can lose records. Read from INFO, which the client needs anyway: CONFIG is often forbidden.</summary>
internal static class RedisServerSettings
{
    // The client sends INFO only on a connection with allowAdmin. A script may call it on any.
    private const string InfoScript = "return redis.call('INFO')";

    /// <summary>Writes a warning for each server that can lose records, a replica too: it may be promoted. What a server does not tell is not warned about.</summary>
    public static async Task WarnAsync(IEnumerable<IServer> servers, ILogger logger)
    {
        foreach (var server in servers)
        {
            try
            {
                var findings = Findings(Parse((string?)await server.ExecuteAsync("EVAL", InfoScript, 0) ?? ""));
                if (findings.Count > 0)
                {
                    Log.CanLoseRecords(logger, server.EndPoint.ToString(), string.Join(" ", findings));
                }
            }
            catch (Exception)
            {
                // It may not be asked, or is gone again.
            }
        }
    }

    /// <summary>What is wrong, a sentence each.</summary>
    /// <param name="info">What INFO tells.</param>
    internal static IReadOnlyList<string> Findings(IReadOnlyDictionary<string, string> info)
    {
        var findings = new List<string>();
        if (info.GetValueOrDefault("maxmemory", "0") != "0" && info.GetValueOrDefault("maxmemory_policy", "noeviction") is not "noeviction" and var policy)
        {
            findings.Add($"maxmemory-policy is '{policy}', so it evicts records when memory is full; set it to 'noeviction'.");
        }

        if (info.GetValueOrDefault("aof_enabled") == "0")
        {
            findings.Add("appendonly is 'no', so a restart loses writes since the last snapshot, or all data; set it to 'yes'.");
        }

        // The number of good replicas is told only where min-replicas-to-write asks for some.
        var isReplicated = info.GetValueOrDefault("role") == "slave" || info.GetValueOrDefault("connected_slaves", "0") != "0";
        if (isReplicated && !info.ContainsKey("min_slaves_good_slaves"))
        {
            findings.Add("min-replicas-to-write is 0, so a former primary accepts claims after a failover; set it to 1 or more, with a min-replicas-max-lag of a few seconds.");
        }
        else if (info.ContainsKey("min_slaves_good_slaves") && IsOlderThan7(info))
        {
            findings.Add("min-replicas-to-write does not apply to scripts before Redis 7, so a former primary accepts claims after a failover; upgrade the server.");
        }

        return findings;
    }

    private static Dictionary<string, string> Parse(string info) => info
        .Split('\n', StringSplitOptions.TrimEntries)
        .Select(static line => line.Split(':', 2))
        .Where(static field => field.Length == 2)
        .DistinctBy(static field => field[0])
        .ToDictionary(static field => field[0], static field => field[1]);

    private static bool IsOlderThan7(IReadOnlyDictionary<string, string> info) =>
        !info.ContainsKey("valkey_version") && Version.TryParse(info.GetValueOrDefault("redis_version"), out var version) && version.Major < 7;
}
