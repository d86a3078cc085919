using System.Collections.Concurrent;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A server with the library, over a store.</summary>
internal static class ProtectedServer
{
    public static Task<int> StartAsync(
        Action<IIdempotencyBuilder>? store = null,
        Action<IdempotencyOptions>? options = null,
        Action<IServiceProvider>? started = null,
        ConcurrentDictionary<string, int>? runs = null) => KestrelServer.StartAsync(
        builder =>
        {
            var idempotency = builder.Services.AddIdempotency(options);
            store?.Invoke(idempotency);
        },
        app =>
        {
            app.UseIdempotency();
            app.MapPost("/pay", Handlers.Pay).WithIdempotency();
            app.MapPost("/open", Handlers.Pay);
            app.MapPost("/slow", Handlers.SlowPay(runs ?? [])).WithIdempotency();
            started?.Invoke(app.Services);
        });

    public static void WithoutLocalCache(IdempotencyOptions options) => options.LocalCacheMaxEntries = 0;
}
