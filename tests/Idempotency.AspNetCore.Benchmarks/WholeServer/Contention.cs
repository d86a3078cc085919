namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Many connections on few fresh keys at once: what duplicates are told, and that the handler ran once for each key.</summary>
internal static class Contention
{
    private const int Connections = 64;

    public static async Task<string> RunAsync(LoadProcess load, RedisProcess? redis, double seconds)
    {
        var table = new Table("store", "duplicates", "requests/s", "keys", "handler runs", "most runs of one key", "200", "409", "p50", "p99", "processor time/request", "bytes/request");
        List<(string Name, ServerSpec Spec)> stores = [("in memory", new ServerSpec { IsProtected = true })];
        if (redis is not null)
        {
            stores.Add(("Redis", new ServerSpec { IsProtected = true, Store = StoreKind.Redis, StorePort = redis.Port }));
        }

        foreach (var (name, spec) in stores)
        {
            foreach (var behavior in (InProgressBehavior[])[InProgressBehavior.Reject, InProgressBehavior.Wait])
            {
                using var server = new ServerProcess(spec with { WhenInProgress = behavior });
                var traffic = new Traffic("POST", "/slow", Payment.SmallBody, KeyKind.Contended);
                await load.RunAsync(server, traffic, Connections, seconds: 2.4);
                await server.AskAsync<HandlerRuns>(ServerQuestion.Runs);
                var sample = await load.RunAsync(server, traffic, Connections, seconds);
                _ = behavior == InProgressBehavior.Wait
                    ? sample.Expecting($"{name}, wait", StatusCodes.Status200OK)
                    : sample.Expecting($"{name}, reject", StatusCodes.Status200OK, StatusCodes.Status409Conflict);
                var runs = await server.AskAsync<HandlerRuns>(ServerQuestion.Runs);
                if (runs.MostOfOne != 1 || runs.Keys != sample.Load.Keys)
                {
                    throw new InvalidOperationException($"{name}, {behavior}: the handler ran for {runs.Keys} of {sample.Load.Keys} keys, and {runs.MostOfOne} times for one.");
                }

                table.Add(
                    name,
                    behavior == InProgressBehavior.Wait ? "wait" : "are rejected",
                    $"{sample.Load.RequestsPerSecond:F0}",
                    $"{sample.Load.Keys}",
                    $"{runs.Keys}",
                    $"{runs.MostOfOne}",
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
