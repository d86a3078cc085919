using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The baselines: a server without the library. A new floor (the stores' own scripts sent by hand, for one) is an endpoint more here.</summary>
internal static class BareServer
{
    public static Task<int> StartAsync(IDatabase? redis = null, AmazonDynamoDBClient? dynamo = null) => KestrelServer.StartAsync(
        builder => builder.Services.AddOutputCache(),
        app =>
        {
            app.UseOutputCache();
            app.MapPost("/pay", Handlers.Pay);
            app.MapGet("/cached", () => new Receipt(1, "Ann", true)).CacheOutput();
            if (redis is not null)
            {
                app.MapPost("/redis", async (Payment payment) =>
                {
                    var key = (RedisKey)$"bare:{Guid.NewGuid():N}";
                    await redis.StringSetAsync(key, "claimed", TimeSpan.FromMinutes(1), When.NotExists);
                    await redis.StringSetAsync(key, "completed", TimeSpan.FromMinutes(1));
                    return Handlers.Pay(payment);
                });
                app.MapPost("/redis-read", async (Payment payment) =>
                {
                    await redis.StringGetAsync("bare:read");
                    return Handlers.Pay(payment);
                });
            }

            if (dynamo is not null)
            {
                app.MapPost("/dynamo", async (Payment payment) =>
                {
                    var item = new Dictionary<string, AttributeValue> { ["id"] = new($"bare:{Guid.NewGuid():N}"), ["data"] = new("claimed") };
                    await dynamo.PutItemAsync(DynamoDBProcess.Table, item);
                    item["data"] = new("completed");
                    await dynamo.PutItemAsync(DynamoDBProcess.Table, item);
                    return Handlers.Pay(payment);
                });
            }
        });
}
