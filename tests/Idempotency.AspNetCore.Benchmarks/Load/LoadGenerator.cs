using System.Diagnostics;
using System.Text.Json;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>
/// Sends load, as a process of its own: the program started again with "load". It takes orders from its standard input, a line each, and
/// answers with what it saw.
/// </summary>
internal static class LoadGenerator
{
    /// <summary>How long the connections run before they are measured: a new connection's first requests cost the server more.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(50);

    public static async Task ServeOrdersAsync()
    {
        while (await Console.In.ReadLineAsync() is { } line)
        {
            var order = JsonSerializer.Deserialize<LoadOrder>(line)!;
            var connections = Enumerable.Range(0, order.Connections).Select(_ => new LoadConnection(order.Port, order.Traffic)).ToList();
            foreach (var connection in connections)
            {
                await connection.ConnectAsync();
            }

            KeySequence.Begin();
            await RunAsync(connections, Settling);

            // The server's counters are read now, while nothing is under way.
            await Console.Out.WriteLineAsync("ready");
            await Console.In.ReadLineAsync();
            var elapsed = order.Rate > 0
                ? await RunAsync(connections, TimeSpan.FromSeconds(order.Seconds), order.Rate)
                : await RunAsync(connections, TimeSpan.FromSeconds(order.Seconds));
            await Console.Out.WriteLineAsync(JsonSerializer.Serialize(Sum(connections, elapsed, KeySequence.Taken)));
            connections.ForEach(connection => connection.Dispose());
        }
    }

    private static async Task<TimeSpan> RunAsync(List<LoadConnection> connections, TimeSpan duration)
    {
        var startedAt = Stopwatch.GetTimestamp();
        var until = startedAt + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        await Task.WhenAll(connections.Select(connection => connection.RunAsync(until)).ToList());
        return Stopwatch.GetElapsedTime(startedAt);
    }

    private static async Task<TimeSpan> RunAsync(List<LoadConnection> connections, TimeSpan duration, double rate)
    {
        var pacer = new Pacer(connections.Count);
        var startedAt = Stopwatch.GetTimestamp();
        var running = connections.Select((connection, i) => connection.RunAsync(pacer.Due(i))).ToList();
        pacer.Start(rate, duration);
        await Task.WhenAll(running);
        return Stopwatch.GetElapsedTime(startedAt);
    }

    private static Load Sum(List<LoadConnection> connections, TimeSpan elapsed, long keys)
    {
        var latencies = new LatencyHistogram();
        connections.ForEach(connection => latencies.Add(connection.Latencies));
        var statuses = connections.SelectMany(connection => connection.Statuses)
            .GroupBy(pair => pair.Key, pair => pair.Value)
            .ToDictionary(group => group.Key, group => group.Sum());
        return new Load(
            elapsed.TotalSeconds,
            statuses.Values.Sum(),
            Milliseconds(latencies.Percentile(0.5)),
            Milliseconds(latencies.Percentile(0.99)),
            Milliseconds(latencies.Percentile(0.999)),
            statuses,
            connections.Sum(connection => connection.Missing),
            keys);
    }

    private static double Milliseconds(long ticks) => Stopwatch.GetElapsedTime(0, ticks).TotalMilliseconds;
}
