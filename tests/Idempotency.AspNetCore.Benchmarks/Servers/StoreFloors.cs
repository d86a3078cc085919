using System.Net;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What of a first execution is the store's, and no middleware could spare: the same calls without the library around them.</summary>
internal static class StoreFloors
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Retention = TimeSpan.FromHours(24);

    /// <summary>The Redis store's two scripts, sent by hand with arguments that are ready.</summary>
    public static void MapScripts(this WebApplication app, IDatabase redis)
    {
        var server = redis.Multiplexer.GetServer((EndPoint)redis.Multiplexer.GetEndPoints()[0]);
        var (claim, complete) = (server.ScriptLoad(ScriptOf("claim")), server.ScriptLoad(ScriptOf("layout") + ScriptOf("writable") + ScriptOf("owned") + ScriptOf("complete")));
        var head = new byte[76]; // the layout is in the package's README
        "1I-0000000001000000086400000"u8.CopyTo(head);
        Sha256Hash.Of("a request"u8).CopyTo(head.AsSpan(44));
        var life = (long)(Lease + Retention).TotalMilliseconds;
        var data = new byte[200];
        app.MapPost("/redis-scripts", async (Payment payment) =>
        {
            var keys = new[] { (RedisKey)$"bare:{Guid.NewGuid():N}{Guid.NewGuid():N}" };
            var owner = Guid.NewGuid().ToByteArray();
            byte[] record = [.. head];
            owner.CopyTo(record, 28);
            await redis.ScriptEvaluateAsync(claim, keys, [record, life]);
            await redis.ScriptEvaluateAsync(complete, keys, [owner, (long)Retention.TotalMilliseconds, data]);
            return Handlers.Pay(payment);
        });
    }

    /// <summary>A claim and a completion by a store's own methods.</summary>
    public static void MapStoreAlone(this WebApplication app)
    {
        var store = app.Services.GetRequiredService<IIdempotencyStore>();
        var data = new byte[200];
        app.MapPost("/store-alone", async (Payment payment) =>
        {
            var owner = Guid.NewGuid();
            var key = new StoreKey(Sha256Hash.Of(owner.ToByteArray()));
            await store.ClaimAsync(key, new IdempotencyClaim { Owner = owner, Fingerprint = new Fingerprint(key.Hash), Attempt = 1, Lease = Lease, Retention = Retention }, default);
            await store.CompleteAsync(key, owner, data, Retention, default);
            return Handlers.Pay(payment);
        });
    }

    private static string ScriptOf(string name)
    {
        using var text = new StreamReader(typeof(RedisIdempotencyStore).Assembly.GetManifestResourceStream(name)!);
        return text.ReadToEnd();
    }
}
