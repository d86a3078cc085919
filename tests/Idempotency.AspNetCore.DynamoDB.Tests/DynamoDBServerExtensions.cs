using Amazon.DynamoDBv2;
using Amazon.Runtime;

namespace Idempotency.AspNetCore.DynamoDB.Tests;

internal static class DynamoDBServerExtensions
{
    /// <summary>A client, optionally with a way to see and disturb what it sends.</summary>
    public static AmazonDynamoDBClient CreateClient(this DynamoDBServer server, string? url = null, Func<HttpMessageHandler>? handler = null, int retries = 3) => new(
        new BasicAWSCredentials("local", "local"),
        new AmazonDynamoDBConfig { ServiceURL = url ?? server.Url, MaxErrorRetry = retries, HttpClientFactory = handler is null ? null : new Factory(handler) });

    private sealed class Factory(Func<HttpMessageHandler> handler) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => new(handler(), disposeHandler: false); // the SDK disposes a client it does not cache

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;
    }
}
