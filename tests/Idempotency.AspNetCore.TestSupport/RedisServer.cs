using System.Diagnostics;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A Redis that the tests start, or the one that IDEMPOTENCY_TEST_REDIS names (host:port).</summary>
public sealed class RedisServer : IAsyncLifetime
{
#if USE_TESTCONTAINERS
    private readonly Testcontainers.Redis.RedisContainer _container = new Testcontainers.Redis.RedisBuilder("redis:7").Build();
#else
    private ServerProcess? _process;
#endif

    /// <summary>Where it listens, as a configuration string.</summary>
    public string Configuration { get; private set; } = "";

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_REDIS") is { Length: > 0 } running)
        {
            Configuration = running;
            return;
        }

#if USE_TESTCONTAINERS
        await _container.StartAsync();
        Configuration = _container.GetConnectionString();
#else
        var port = FreePort.Next();
        _process = await StartAsync(port);
        Configuration = $"127.0.0.1:{port}";
#endif
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
#if USE_TESTCONTAINERS
        await _container.DisposeAsync();
#else
        _process?.Dispose();
        await ValueTask.CompletedTask;
#endif
    }

    /// <summary>Starts a server of a test's own, which it may stop.</summary>
    public static Task<ServerProcess> StartAsync(int port, params string[] more) => ServerProcess.StartAsync(
        new ProcessStartInfo(RedisNode.Program, ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", .. more]),
        port,
        "Install it (Debian: apt-get install redis-server), or set IDEMPOTENCY_TEST_REDIS to a running server's host:port.");
}
