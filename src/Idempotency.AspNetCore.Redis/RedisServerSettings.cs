using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>Finds server settings with which records can be lost. They are read with INFO, which the client needs anyway, because CONFIG is often not allowed.</summary>
internal static class RedisServerSettings
{
    // The client sends INFO only on a connection with allowAdmin. A script can call it on any connection.
    private const string InfoScript = "return redis.call('INFO')";

    /// <summary>Logs a warning for each server that can lose records, including replicas, because they can be promoted. Settings that a server does not report cause no warning.</summary>
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
                // INFO is not allowed, or the server is no longer available.
            }
        }
    }

    /// <summary>The findings, one sentence each.</summary>
    /// <param name="info">The result of INFO.</param>
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

        // The number of good replicas is only reported if min-replicas-to-write is set.
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
