using StackExchange.Redis;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A Redis of the benchmark's own, and a connection to it for the baseline.</summary>
internal sealed class RedisProcess : IDisposable
{
    private readonly StoreProcess _process;
    private readonly ConnectionMultiplexer _connection;

    private RedisProcess(StoreProcess process, ConnectionMultiplexer connection, int port)
    {
        (_process, _connection, Port) = (process, connection, port);
        connection.PreserveAsyncOrder = false; // version 1 of the client stalls otherwise
    }

    public int Port { get; }

    public IDatabase Database => _connection.GetDatabase();

    public static async Task<RedisProcess?> TryStartAsync()
    {
        var port = KestrelServer.FreePort();
        var process = StoreProcess.TryStart(
            "redis-server",
            ["--port", $"{port}", "--bind", "127.0.0.1", "--save", ""],
            null,
            port,
            "Redis is left out: 'redis-server' is not installed.");
        return process is null ? null : new RedisProcess(process, await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port}"), port);
    }

    /// <summary>The library's store on this Redis, with a connection of its own.</summary>
    public void Use(IIdempotencyBuilder builder) => builder.AddRedisStore($"127.0.0.1:{Port}");

    public void Dispose()
    {
        _connection.Dispose();
        _process.Dispose();
    }
}
