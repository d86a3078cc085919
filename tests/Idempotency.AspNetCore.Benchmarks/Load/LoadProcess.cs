using System.Diagnostics;
using System.Text.Json;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The load generator, seen from the process that gives the orders.</summary>
/// <remarks>
/// A process of its own, so that the processor time and the bytes of a server's process are the server's alone. Measured both ways on two processors: with sixteen blocking
/// threads in the server's process instead, the same bare endpoint answered 0.7 times as many requests with twice the 99th percentile, DynamoDB's
/// baseline a third as many (the threads and the pool's took turns), and ratios to the baseline of the same round lay between 0.4 and 1.2.
/// </remarks>
internal sealed class LoadProcess : IDisposable
{
    private readonly Process _process;

    private LoadProcess(Process process) => _process = process;

    public static LoadProcess Start()
    {
        var start = ThisProgram.With("load");

        // One loop for all connections, which sends the next request from where it saw the answer: a thread for each connection, or a pool,
        // would take the servers' processor for switching threads. A quarter of the processors is enough to keep the others busy.
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT"] = $"{Math.Max(1, Environment.ProcessorCount / 4)}";
        start.Environment["DOTNET_gcServer"] = "0";
        return new LoadProcess(ThisProgram.StartForOrders(start));
    }

    /// <summary>Runs one slot of load.</summary>
    /// <param name="server">The server.</param>
    /// <param name="traffic">What is sent.</param>
    /// <param name="connections">Over how many connections.</param>
    /// <param name="seconds">For how long.</param>
    /// <param name="rate">See <see cref="LoadOrder"/>; 0 for a closed loop.</param>
    public async Task<Sample> RunAsync(ServerProcess server, Traffic traffic, int connections, double seconds, double rate = 0)
    {
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(new LoadOrder(await server.PortAsync(), traffic, connections, seconds, rate)));
        await ReadLineAsync(); // connected, and its first requests are answered
        var before = await server.AskAsync<Counters>(ServerQuestion.Counters);
        await _process.StandardInput.WriteLineAsync("go");
        var load = JsonSerializer.Deserialize<Load>(await ReadLineAsync())!;
        var after = await server.AskAsync<Counters>(ServerQuestion.CountersWhenCollected);
        return new Sample(load, (double)(after.Bytes - before.Bytes) / load.Requests, (after.Microseconds - before.Microseconds) / load.Requests);
    }

    public void Dispose() => ThisProgram.End(_process);

    private async Task<string> ReadLineAsync() => await _process.StandardOutput.ReadLineAsync()
        ?? throw new InvalidOperationException("The load generator ended; see what it wrote above.");
}
