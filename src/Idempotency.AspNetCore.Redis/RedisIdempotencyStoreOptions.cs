using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>Where and how the Redis store keeps records.</summary>
public sealed class RedisIdempotencyStoreOptions
{
    /// <summary>
    /// A StackExchange.Redis configuration string, for example <c>localhost:6379</c> or <c>host:6380,ssl=true,password=…</c>. Null (the
    /// default) means the <see cref="IConnectionMultiplexer"/> registered in dependency injection. With a string the store makes a connection of its own, at
    /// the first request; a server that is not up yet is waited for in the background, and requests are answered 503 meanwhile.
    /// </summary>
    public string? Configuration { get; set; }

    /// <summary>What every key starts with. Applications that share a server need different ones. Default: <c>idempotency:</c>.</summary>
    public string KeyPrefix { get; set; } = "idempotency:";

    /// <summary>The database number; -1 (the default) for the connection's own. Redis Cluster has only 0.</summary>
    public int Database { get; set; } = -1;
}
