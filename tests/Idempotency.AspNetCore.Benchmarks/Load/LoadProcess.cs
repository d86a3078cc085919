using System.Diagnostics;
using System.Text.Json;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The load generator, seen from the process that has the servers.</summary>
/// <remarks>
/// A process of its own, so that the processor time and the bytes of this one are the servers' alone. Measured both ways on two processors: with sixteen blocking
/// threads in this process instead, the same bare endpoint answered 0.7 times as many requests with twice the 99th percentile, DynamoDB's
/// baseline a third as many (the threads and the pool's took turns), and ratios to the baseline of the same round lay between 0.4 and 1.2.
/// </remarks>
internal sealed class LoadProcess : IDisposable
{
    private readonly Process _process;

    private LoadProcess(Process process) => _process = process;

    public static LoadProcess Start()
    {
        var program = Environment.ProcessPath!;
        var isHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
        var start = new ProcessStartInfo(program, isHost ? [typeof(LoadProcess).Assembly.Location, "load"] : ["load"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };

        // One loop for all connections, which sends the next request from where it saw the answer: a thread for each connection, or a pool,
        // would take the servers' processor for switching threads. A quarter of the processors is enough to keep the others busy.
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT"] = $"{Math.Max(1, Environment.ProcessorCount / 4)}";
        start.Environment["DOTNET_gcServer"] = "0";
        var process = Process.Start(start)!;
        var started = new LoadProcess(process);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => started.Dispose();
        return started;
    }

    /// <summary>Runs one slot of load against a server of this process.</summary>
    public async Task<Sample> RunAsync(Traffic traffic, int connections, double seconds)
    {
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(new LoadOrder(traffic, connections, seconds)));
        await ReadLineAsync(); // connected, and its first requests are answered
        var bytes = GC.GetTotalAllocatedBytes(precise: true);
        var time = Environment.CpuUsage.TotalTime;
        await _process.StandardInput.WriteLineAsync("go");
        var load = JsonSerializer.Deserialize<Load>(await ReadLineAsync())!;
        bytes = GC.GetTotalAllocatedBytes(precise: true) - bytes;

        // Who made the garbage pays for its collection, and not the variant that happens to come next.
        GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        time = Environment.CpuUsage.TotalTime - time;
        return new Sample(load, (double)bytes / load.Requests, time.TotalMicroseconds / load.Requests);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }
    }

    private async Task<string> ReadLineAsync() => await _process.StandardOutput.ReadLineAsync()
        ?? throw new InvalidOperationException("The load generator ended; see what it wrote above.");
}
