using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>Options of the Redis store.</summary>
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
    /// The store opens a connection of its own when the application starts, and retries in the background until a server is available
    /// (<c>abortConnect</c> is ignored). Until then, and whenever the server is unavailable, requests are rejected with 503 immediately.
    /// </remarks>
    public string? Configuration { get; set; }

    /// <summary>The configuration as an object, for settings that a string cannot express: a private certificate authority, client certificates, changing credentials. Default: null.</summary>
    /// <remarks>
    /// The store connects with a copy of it, as with <see cref="Configuration"/>. <see cref="BacklogPolicy.Default"/> becomes
    /// <see cref="BacklogPolicy.FailFast"/>; any other policy is used as it is.
    /// </remarks>
    public ConfigurationOptions? ConfigurationOptions { get; set; }

    /// <summary>Creates the connection. If it fails, it is called again: after 250 milliseconds, then after longer pauses of up to ten seconds. The store disposes of the connection. Default: null.</summary>
    /// <remarks>Set <see cref="ConfigurationOptions.BacklogPolicy"/> to <see cref="BacklogPolicy.FailFast"/>; otherwise, requests wait for <see cref="CallTimeout"/> while the server is unavailable.</remarks>
    public Func<Task<IConnectionMultiplexer>>? ConnectionMultiplexerFactory { get; set; }

    /// <summary>The key of a keyed <see cref="IConnectionMultiplexer"/> in dependency injection, as <c>AddKeyedRedisClient("name")</c> of .NET Aspire registers one. Default: null.</summary>
    public object? ConnectionServiceKey { get; set; }

    /// <summary>The prefix of all keys. Applications that share a server need different prefixes. Default: <c>idempotency:</c>.</summary>
    public string KeyPrefix { get; set; } = "idempotency:";

    /// <summary>The database number; -1 (the default) for the default database of the connection. Redis Cluster supports only 0.</summary>
    public int Database { get; set; } = -1;

    /// <summary>
    /// The timeout of one call to Redis: a claim is then rejected with 503, and a completion is retried. More than zero, less than 24 days. Default: two seconds.
    /// </summary>
    /// <remarks>
    /// It limits the wait for a server that is connected and does not respond. On a connection with a backlog (the client's default, so probably a shared
    /// one), it also limits the wait for an unavailable server. For a connection of the store's own, it is the <c>asyncTimeout</c>, which the client checks about
    /// once a second; on any other connection, the shorter of the two applies.
    /// </remarks>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Whether Garnet runs Lua scripts as transactions (<c>lua-transaction-mode</c>). Default: false, and Garnet is rejected.</summary>
    /// <remarks>Without that mode, scripts on the same key can interleave, and two requests can take over the same abandoned claim. No effect on Redis and Valkey.</remarks>
    public bool GarnetRunsScriptsAsTransactions { get; set; }
}
