using System.Collections.Concurrent;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Many connections on few fresh keys at once: what duplicates are told, and that the handler ran once for each key.</summary>
internal static class Contention
{
    private const int Connections = 64;

    public static async Task<string> RunAsync(LoadProcess load, RedisProcess? redis, double seconds)
    {
        var table = new Table("store", "duplicates", "requests/s", "keys", "handler runs", "most runs of one key", "200", "409", "p50", "p99", "processor time/request", "bytes/request");
        foreach (var (name, store) in new (string, Action<IIdempotencyBuilder>?)[] { ("in memory", null), ("Redis", redis is null ? null : redis.Use) })
        {
            if (name == "Redis" && redis is null)
            {
                continue;
            }

            foreach (var behavior in (InProgressBehavior[])[InProgressBehavior.Reject, InProgressBehavior.Wait])
            {
                var runs = new ConcurrentDictionary<string, int>();
                var port = await ProtectedServer.StartAsync(store, options => options.DefaultPolicy = options.DefaultPolicy with { WhenInProgress = behavior }, runs: runs);
                var traffic = new Traffic(port, "POST", "/slow", """{"name":"Ann","amount":12.5}""", KeyKind.Contended);
                await load.RunAsync(traffic, Connections, 0.5); // warms up
                runs.Clear();
                var sample = await load.RunAsync(traffic, Connections, seconds);
                _ = behavior == InProgressBehavior.Wait
                    ? sample.Expecting($"{name}, wait", StatusCodes.Status200OK)
                    : sample.Expecting($"{name}, reject", StatusCodes.Status200OK, StatusCodes.Status409Conflict);
                var most = runs.Values.DefaultIfEmpty().Max();
                if (most != 1 || runs.Count != sample.Load.Keys)
                {
                    throw new InvalidOperationException($"{name}, {behavior}: the handler ran for {runs.Count} of {sample.Load.Keys} keys, and {most} times for one.");
                }

                table.Add(
                    name,
                    behavior == InProgressBehavior.Wait ? "wait" : "are rejected",
                    $"{sample.Load.RequestsPerSecond:F0}",
                    $"{sample.Load.Keys}",
                    $"{runs.Count}",
                    $"{most}",
                    $"{sample.Load.Of(200)}",
                    $"{sample.Load.Of(409)}",
                    $"{sample.Load.MedianMilliseconds:F2} ms",
                    $"{sample.Load.P99Milliseconds:F2} ms",
                    $"{sample.MicrosecondsPerRequest:F1} µs",
                    $"{sample.BytesPerRequest:F0}");
            }
        }

        return $"{Connections} connections; {Traffic.KeysAtOnce} fresh keys at once, each sent {Traffic.RequestsPerKey} times; a handler that takes 5 ms.\n\n{table}";
    }
}
