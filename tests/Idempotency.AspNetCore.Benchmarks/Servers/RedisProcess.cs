using StackExchange.Redis;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A Redis of the benchmark's own.</summary>
internal sealed class RedisProcess : IDisposable
{
    private readonly StoreProcess _process;

    private RedisProcess(StoreProcess process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    public static RedisProcess? TryStart()
    {
        var port = StoreProcess.FreePort();
        var process = StoreProcess.TryStart(
            "redis-server",
            ["--port", $"{port}", "--bind", "127.0.0.1", "--save", ""],
            null,
            port,
            "Redis is left out: 'redis-server' is not installed.");
        return process is null ? null : new RedisProcess(process, port);
    }

    /// <summary>A connection without the library.</summary>
    public static Task<ConnectionMultiplexer> ConnectAsync(int port) => ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port}");

    public void Dispose() => _process.Dispose();
}
