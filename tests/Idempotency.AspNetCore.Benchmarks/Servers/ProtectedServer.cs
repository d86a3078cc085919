using System.Collections.Concurrent;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A server with the library, over a store.</summary>
internal static class ProtectedServer
{
    /// <param name="spec">What was asked for.</param>
    /// <param name="runs">Where the slow handler counts its runs.</param>
    public static Task<WebApplication> StartAsync(ServerSpec spec, ConcurrentDictionary<string, int> runs) => KestrelServer.StartAsync(
        builder =>
        {
            var idempotency = builder.Services.AddIdempotency(options =>
            {
                options.DefaultPolicy = options.DefaultPolicy with { WhenInProgress = spec.WhenInProgress, Retention = spec.Retention };
                if (spec.WithoutLocalCache)
                {
                    WithoutLocalCache(options);
                }
            });
            _ = spec.Store switch
            {
                StoreKind.Redis => idempotency.AddRedisStore($"127.0.0.1:{spec.StorePort}"),
                StoreKind.DynamoDB => AddDynamoDB(idempotency, spec.StorePort),
                _ => idempotency.AddInMemoryStore(options =>
                {
                    options.MaxRecords = spec.MaxRecords > 0 ? spec.MaxRecords : options.MaxRecords;
                    options.MaxBytes = spec.MaxBytes > 0 ? spec.MaxBytes : options.MaxBytes;
                }),
            };
        },
        app =>
        {
            app.UseIdempotency();
            app.MapPost("/pay", Handlers.Pay).WithIdempotency();
            app.MapPost("/open", Handlers.Pay);
            app.MapStoreAlone();
            app.MapPost("/slow", Handlers.SlowPay(runs)).WithIdempotency();
            StoreFiller.FillAsync(app.Services.GetRequiredService<IIdempotencyStore>(), 0, spec.Records, payload: 200).GetAwaiter().GetResult();
        });

    public static void WithoutLocalCache(IdempotencyOptions options) => options.LocalCacheMaxEntries = 0;

    private static IIdempotencyBuilder AddDynamoDB(IIdempotencyBuilder builder, int port)
    {
        builder.Services.AddSingleton(DynamoDBProcess.ClientOf(port));
        return builder.AddDynamoDBStore(options => options.TableName = DynamoDBProcess.Table);
    }
}
