using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>Where and how the Redis store keeps records.</summary>
/// <remarks>
/// The connection comes from the first of these that is set: <see cref="ConnectionMultiplexerFactory"/>, <see cref="ConfigurationOptions"/>,
/// <see cref="Configuration"/>, <see cref="ConnectionServiceKey"/>. If none is, it is the <see cref="IConnectionMultiplexer"/> in dependency injection.
/// </remarks>
public sealed class RedisIdempotencyStoreOptions
{
    /// <summary>
    /// A StackExchange.Redis configuration string, for example <c>localhost:6379</c> or <c>host:6380,ssl=true,password=…</c>. Default: null.
    /// </summary>
    /// <remarks>
    /// The store opens a connection of its own when the application starts, and retries in the background until a server is there
    /// (<c>abortConnect</c> is ignored). Until then, and whenever the server is away, requests are rejected with 503 at once.
    /// </remarks>
    public string? Configuration { get; set; }

    /// <summary>The same as an object, for what a string cannot say: a private certificate authority, client certificates, credentials that change. Default: null.</summary>
    /// <remarks>
    /// The store connects with a copy of it, as with <see cref="Configuration"/>. <see cref="BacklogPolicy.Default"/> becomes
    /// <see cref="BacklogPolicy.FailFast"/>; any other policy is used as it is.
    /// </remarks>
    public ConfigurationOptions? ConfigurationOptions { get; set; }

    /// <summary>Makes the connection. Called again, a second later, when it fails. The store disposes the connection that it returns. Default: null.</summary>
    /// <remarks>Set <see cref="ConfigurationOptions.BacklogPolicy"/> to <see cref="BacklogPolicy.FailFast"/>, or requests wait for <see cref="CallTimeout"/> while the server is away.</remarks>
    public Func<Task<IConnectionMultiplexer>>? ConnectionMultiplexerFactory { get; set; }

    /// <summary>The key of a keyed <see cref="IConnectionMultiplexer"/> in dependency injection, as <c>AddKeyedRedisClient("name")</c> of .NET Aspire registers one. Default: null.</summary>
    public object? ConnectionServiceKey { get; set; }

    /// <summary>What every key starts with. Applications that share a server need different prefixes. Default: <c>idempotency:</c>.</summary>
    public string KeyPrefix { get; set; } = "idempotency:";

    /// <summary>The database number; -1 (the default) for the connection's own. Redis Cluster has only 0.</summary>
    public int Database { get; set; } = -1;

    /// <summary>
    /// How long one call to Redis may take before the store gives up on it: a claim is then rejected with 503, and a completion is retried. Default: two seconds.
    /// </summary>
    /// <remarks>
    /// It bounds the wait for a server that is connected and does not reply. On a connection with a backlog (the client's default, so probably a shared
    /// one) it also bounds the wait for a server that is away. It is the <c>asyncTimeout</c> of a connection of the store's own, which the client checks about
    /// once a second; on any other connection the shorter of the two counts.
    /// </remarks>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Whether Garnet runs Lua scripts as transactions (<c>lua-transaction-mode</c>). Default: false, and Garnet is rejected.</summary>
    /// <remarks>Without that mode scripts on the same key can interleave there, and two requests can both take over one abandoned claim. No effect on Redis and Valkey.</remarks>
    public bool GarnetRunsScriptsAsTransactions { get; set; }
}
