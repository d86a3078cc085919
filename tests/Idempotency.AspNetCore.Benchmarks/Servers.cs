using System.Net;
using System.Net.Sockets;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The real servers that are compared: each a Kestrel of its own.</summary>
internal static class Servers
{
    /// <summary>Without the library: a trivial handler, the same with two bare store commands, and a cached answer.</summary>
    public static Task<int> StartBareAsync(IDatabase? redis, AmazonDynamoDBClient? dynamo) => StartAsync(
        builder => builder.Services.AddOutputCache(),
        app =>
        {
            app.UseOutputCache();
            app.MapPost("/pay", Handle);
            app.MapGet("/cached", () => new Receipt(1, "Ann", true)).CacheOutput();
            if (redis is not null)
            {
                app.MapPost("/redis", async (Payment payment) =>
                {
                    var key = (RedisKey)$"bare:{Guid.NewGuid():N}";
                    await redis.StringSetAsync(key, "claimed", TimeSpan.FromMinutes(1), When.NotExists);
                    await redis.StringSetAsync(key, "completed", TimeSpan.FromMinutes(1));
                    return Handle(payment);
                });
            }

            if (dynamo is not null)
            {
                app.MapPost("/dynamo", async (Payment payment) =>
                {
                    var item = new Dictionary<string, AttributeValue> { ["id"] = new($"bare:{Guid.NewGuid():N}"), ["data"] = new("claimed") };
                    await dynamo.PutItemAsync(WholeServer.Table, item);
                    item["data"] = new("completed");
                    await dynamo.PutItemAsync(WholeServer.Table, item);
                    return Handle(payment);
                });
            }
        });

    /// <summary>With the library, over a store.</summary>
    public static Task<int> StartProtectedAsync(Action<IIdempotencyBuilder> store, Action<IdempotencyOptions>? options = null, Action<IServiceProvider>? started = null) => StartAsync(
        builder => store(builder.Services.AddIdempotency(options)),
        app =>
        {
            app.UseIdempotency();
            app.MapPost("/pay", Handle).WithIdempotency();
            app.MapPost("/open", Handle);
            started?.Invoke(app.Services);
        });

    private static Receipt Handle(Payment payment) => new(1, payment.Name, true);

    private static async Task<int> StartAsync(Action<WebApplicationBuilder> configure, Action<WebApplication> map)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        var port = FreePort();
        builder.WebHost.UseKestrel(server => server.Listen(IPAddress.Loopback, port));
        configure(builder);
        var app = builder.Build();
        map(app);
        await app.StartAsync();
        return port;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public static AmazonDynamoDBClient DynamoDB(int port) => new(
        new BasicAWSCredentials("local", "local"),
        new AmazonDynamoDBConfig { ServiceURL = $"http://127.0.0.1:{port}" });
}

internal sealed record Payment(string Name, decimal Amount);

internal sealed record Receipt(int Id, string Name, bool Ok);
