using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The baselines: a server without the library. What of a store's calls is the store's own is in <see cref="StoreFloors"/>.</summary>
internal static class BareServer
{
    public static async Task<WebApplication> StartAsync(ServerSpec spec)
    {
        var redis = spec.Store == StoreKind.Redis ? await RedisProcess.ConnectAsync(spec.StorePort) : null;
        var dynamo = spec.Store == StoreKind.DynamoDB ? DynamoDBProcess.ClientOf(spec.StorePort) : null;
        return await KestrelServer.StartAsync(
            builder => builder.Services.AddOutputCache(),
            app =>
            {
                app.MapPost("/pay", Handlers.Pay);
                app.MapPost("/fixed", Handlers.SayTheSame(spec.AnswerSize));
                if (spec.HasBareBones)
                {
                    app.Use(BareBones.InvokeAsync);
                }

                if (spec.HasOutputCache)
                {
                    app.UseOutputCache();
                    app.MapGet("/cached", () => new Receipt(1, "Ann", true)).CacheOutput();
                }

                if (redis is not null)
                {
                    Map(app, redis.GetDatabase());
                }

                if (dynamo is not null)
                {
                    Map(app, dynamo);
                }
            });
    }

    private static void Map(WebApplication app, IDatabase redis)
    {
        app.MapPost("/redis", async (Payment payment) =>
        {
            var key = (RedisKey)$"bare:{Guid.NewGuid():N}";
            await redis.StringSetAsync(key, "claimed", TimeSpan.FromMinutes(1), When.NotExists);
            await redis.StringSetAsync(key, "completed", TimeSpan.FromMinutes(1));
            return Handlers.Pay(payment);
        });
        app.MapScripts(redis);
        app.MapPost("/redis-read", async (Payment payment) =>
        {
            await redis.StringGetAsync("bare:read");
            return Handlers.Pay(payment);
        });
    }

    private static void Map(WebApplication app, IAmazonDynamoDB dynamo) => app.MapPost("/dynamo", async (Payment payment) =>
    {
        var item = new Dictionary<string, AttributeValue> { ["id"] = new($"bare:{Guid.NewGuid():N}"), ["data"] = new("claimed") };
        await dynamo.PutItemAsync(DynamoDBProcess.Table, item);
        item["data"] = new("completed");
        await dynamo.PutItemAsync(DynamoDBProcess.Table, item);
        return Handlers.Pay(payment);
    });
}
