namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What is compared with what.</summary>
internal static class Variants
{
    public const string PassThrough = "pass-through";
    public const string First = "first execution";
    public const string Warm = "warm replay";
    public const string WarmToOutputCache = "warm replay, to a hit";
    public const string RedisFirstToScripts = "Redis: first execution, to its two scripts by hand";
    public const string DynamoDBFirstToStore = "DynamoDB: first execution, to its two writes alone";
    public const string RedisFirst = "Redis: first execution";
    public const string RedisCold = "Redis: cold replay";
    public const string DynamoDBFirst = "DynamoDB: first execution";
    public const string DynamoDBCold = "DynamoDB: cold replay";

    /// <summary>How many records are there in the variants that say so.</summary>
    private const int Records = 1_000_000;

    public static List<Variant> All(RedisProcess? redis, DynamoDBProcess? dynamo)
    {
        var bareServer = Once(() => BareServer.StartAsync(redis?.Database, dynamo?.Client));
        var memory = Once(() => ProtectedServer.StartAsync());
        var cold = Once(() => ProtectedServer.StartAsync(options: ProtectedServer.WithoutLocalCache));
        var million = Once(() => ProtectedServer.StartAsync(options: ProtectedServer.WithoutLocalCache, started: Fill));

        // With a key too: it is the client that sends it, whatever the endpoint makes of it.
        var bare = new Variant("bare", null, bareServer, "/pay", KeyKind.OneForEach);
        var cached = new Variant("OutputCache hit", bare, bareServer, "/cached") { Method = "GET" };
        List<Variant> variants =
        [
            bare,
            new(PassThrough, bare, memory, "/open", KeyKind.OneForEach),
            new(First, bare, memory, "/pay", KeyKind.OneForEach),
            new(Warm, bare, memory, "/pay", KeyKind.OneForAll),
            new("replay from the store", bare, cold, "/pay", KeyKind.OneForAll),
            new("first execution, 1M records", bare, million, "/pay", KeyKind.OneForEach) { RunsLast = true },
            new("replay from the store, 1M records", bare, million, "/pay", KeyKind.OneForAll) { RunsLast = true },
            cached,
            new(WarmToOutputCache, cached, memory, "/pay", KeyKind.OneForAll),
        ];
        if (redis is not null)
        {
            var server = Once(() => ProtectedServer.StartAsync(redis.Use));
            var coldServer = Once(() => ProtectedServer.StartAsync(redis.Use, ProtectedServer.WithoutLocalCache));
            var twoCommands = new Variant("Redis: two bare commands", bare, bareServer, "/redis", KeyKind.OneForEach);
            var twoScripts = new Variant("Redis: the store's two scripts by hand", twoCommands, bareServer, "/redis-scripts", KeyKind.OneForEach);
            var oneCommand = new Variant("Redis: one bare command", bare, bareServer, "/redis-read", KeyKind.OneForEach);
            variants.AddRange(
            [
                twoCommands,
                twoScripts,
                oneCommand,
                new(RedisFirst, twoCommands, server, "/pay", KeyKind.OneForEach),
                new(RedisFirstToScripts, twoScripts, server, "/pay", KeyKind.OneForEach),
                new(RedisCold, twoCommands, coldServer, "/pay", KeyKind.OneForAll),
                new("Redis: cold replay, to one command", oneCommand, coldServer, "/pay", KeyKind.OneForAll),
                new("Redis: warm replay", bare, server, "/pay", KeyKind.OneForAll),
            ]);
        }

        if (dynamo is not null)
        {
            var server = Once(() => ProtectedServer.StartAsync(dynamo.Use));
            var coldServer = Once(() => ProtectedServer.StartAsync(dynamo.Use, ProtectedServer.WithoutLocalCache));
            var twoWrites = new Variant("DynamoDB: two bare writes", bare, bareServer, "/dynamo", KeyKind.OneForEach);
            var storeAlone = new Variant("DynamoDB: the store's two writes alone", twoWrites, server, "/store-alone", KeyKind.OneForEach);
            variants.AddRange(
            [
                twoWrites,
                storeAlone,
                new(DynamoDBFirst, twoWrites, server, "/pay", KeyKind.OneForEach),
                new(DynamoDBFirstToStore, storeAlone, server, "/pay", KeyKind.OneForEach),
                new(DynamoDBCold, twoWrites, coldServer, "/pay", KeyKind.OneForAll),
                new("DynamoDB: warm replay", bare, server, "/pay", KeyKind.OneForAll),
            ]);
        }

        return variants;
    }

    private static Lazy<Task<int>> Once(Func<Task<int>> start) => new(start);

    /// <summary>Records under keys that nobody asks for.</summary>
    private static void Fill(IServiceProvider services) =>
        StoreFiller.FillAsync(services.GetRequiredService<IIdempotencyStore>(), 0, Records, payload: 200).GetAwaiter().GetResult();
}
