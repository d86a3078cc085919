namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What is compared with what.</summary>
internal static class Variants
{
    public const string PassThrough = "pass-through";
    public const string First = "first execution";
    public const string Warm = "warm replay";
    public const string Fixed = "the same bytes without any work";
    public const string BareBones = "first execution, bare-bones middleware";
    public const string BareBonesReplay = "replay, bare-bones middleware";
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
        var bareServer = new ServerProcess(new ServerSpec { IsProtected = false });
        var memory = new ServerSpec { IsProtected = true };
        var server = new ServerProcess(memory);
        var cold = new ServerProcess(memory with { WithoutLocalCache = true });
        var million = new ServerProcess(memory with { WithoutLocalCache = true, Records = Records });

        // With a key too: it is the client that sends it, whatever the endpoint makes of it.
        var bare = new Variant("bare", null, bareServer, "/pay", KeyKind.OneForEach);
        var cached = new Variant("OutputCache hit", bare, new ServerProcess(new ServerSpec { IsProtected = false, HasOutputCache = true }), "/cached") { Method = "GET" };
        List<Variant> variants =
        [
            bare,
            new(PassThrough, bare, server, "/open", KeyKind.OneForEach),
            new(First, bare, server, "/pay", KeyKind.OneForEach),
            new(BareBones, bare, new ServerProcess(new ServerSpec { IsProtected = false, HasBareBones = true }), "/pay", KeyKind.OneForEach),
            new(Warm, bare, server, "/pay", KeyKind.OneForAll),
            new(Fixed, bare, new ServerProcess(new ServerSpec { IsProtected = false }), "/fixed", KeyKind.OneForEach),
            new("replay from the store", bare, cold, "/pay", KeyKind.OneForAll),
            new("first execution, 1M records", bare, million, "/pay", KeyKind.OneForEach),
            new("replay from the store, 1M records", bare, million, "/pay", KeyKind.OneForAll),
            cached,
            new(WarmToOutputCache, cached, server, "/pay", KeyKind.OneForAll),
        ];
        if (redis is not null)
        {
            var onRedis = memory with { Store = StoreKind.Redis, StorePort = redis.Port };
            var redisServer = new ServerProcess(onRedis);
            var coldServer = new ServerProcess(onRedis with { WithoutLocalCache = true });
            var bareOnRedis = new ServerProcess(onRedis with { IsProtected = false });
            var twoCommands = new Variant("Redis: two bare commands", bare, bareOnRedis, "/redis", KeyKind.OneForEach);
            var twoScripts = new Variant("Redis: the store's two scripts by hand", twoCommands, bareOnRedis, "/redis-scripts", KeyKind.OneForEach);
            var oneCommand = new Variant("Redis: one bare command", bare, bareOnRedis, "/redis-read", KeyKind.OneForEach);
            variants.AddRange(
            [
                twoCommands,
                twoScripts,
                oneCommand,
                new(RedisFirst, twoCommands, redisServer, "/pay", KeyKind.OneForEach),
                new(RedisFirstToScripts, twoScripts, redisServer, "/pay", KeyKind.OneForEach),
                new(RedisCold, twoCommands, coldServer, "/pay", KeyKind.OneForAll),
                new("Redis: cold replay, to one command", oneCommand, coldServer, "/pay", KeyKind.OneForAll),
                new("Redis: warm replay", bare, redisServer, "/pay", KeyKind.OneForAll),
            ]);
        }

        if (dynamo is not null)
        {
            var onDynamo = memory with { Store = StoreKind.DynamoDB, StorePort = dynamo.Port };
            var dynamoServer = new ServerProcess(onDynamo);
            var coldServer = new ServerProcess(onDynamo with { WithoutLocalCache = true });
            var twoWrites = new Variant("DynamoDB: two bare writes", bare, new ServerProcess(onDynamo with { IsProtected = false }), "/dynamo", KeyKind.OneForEach);
            var storeAlone = new Variant("DynamoDB: the store's two writes alone", twoWrites, dynamoServer, "/store-alone", KeyKind.OneForEach);
            variants.AddRange(
            [
                twoWrites,
                storeAlone,
                new(DynamoDBFirst, twoWrites, dynamoServer, "/pay", KeyKind.OneForEach),
                new(DynamoDBFirstToStore, storeAlone, dynamoServer, "/pay", KeyKind.OneForEach),
                new(DynamoDBCold, twoWrites, coldServer, "/pay", KeyKind.OneForAll),
                new("DynamoDB: warm replay", bare, dynamoServer, "/pay", KeyKind.OneForAll),
            ]);
        }

        return variants;
    }
}
