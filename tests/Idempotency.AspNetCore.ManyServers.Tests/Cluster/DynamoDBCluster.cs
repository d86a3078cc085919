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

    protected override Task<ServerProcess> StartStoreAsync(int port) => DynamoDBServer.StartAsync(port, Folder);
}

[CollectionDefinition("DynamoDB")]
public sealed class DynamoDBServers : ICollectionFixture<DynamoDBCluster>;
