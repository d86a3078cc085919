using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>Stores records in Redis or Valkey, one string per key. The README of the package describes the layout, persistence and eviction.</summary>
/// <remarks>
/// Each operation is one Lua script on one key (so it works in Redis Cluster), which Redis runs atomically: claim, compare and set in one round trip.
/// Time is the server's clock: the expiry that every write sets determines the end of a lease and of a record.
/// </remarks>
public sealed class RedisIdempotencyStore : IIdempotencyStore, IDisposable
{
    private static readonly RedisScript<ClaimResult> Claim = new(["claim"], ParseClaim);
    private static readonly RedisScript<ClaimResult> Supersede = new(["layout", "writable", "supersede"], ParseTakeover);
    private static readonly RedisScript<bool> Renew = new(["layout", "writable", "owned", "renew"], IsDone);
    private static readonly RedisScript<bool> SaveSteps = new(["layout", "writable", "owned", "steps"], IsDone);
    private static readonly RedisScript<bool> Complete = new(["layout", "writable", "owned", "complete"], IsDone);
    private static readonly RedisScript<bool> Release = new(["layout", "writable", "owned", "release"], IsDone);
    private static readonly RedisScript<IdempotencyRecord?> Read = new(["read"], static reply => Parse((RedisValue[])reply!));

    private static readonly RedisValue Mark = "!"u8.ToArray();
    private static readonly RedisValue NoMark = "-"u8.ToArray();

    private const int HashDigits = 2 * Sha256Hash.Length;

    private readonly RedisConnection _connection;
    private readonly byte[] _prefix;

    /// <summary>Creates the store. Applications register it with <c>AddIdempotency().AddRedisStore(...)</c>.</summary>
    /// <param name="options">The options of the store.</param>
    /// <param name="services">Provides the application's <see cref="IConnectionMultiplexer"/>, if the options specify no other connection.</param>
    /// <exception cref="InvalidOperationException">There is no connection.</exception>
    public RedisIdempotencyStore(IOptions<RedisIdempotencyStoreOptions> options, IServiceProvider services)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(services);
        var logger = (ILogger?)services.GetService<ILogger<RedisIdempotencyStore>>() ?? NullLogger.Instance;
        _connection = ConnectionOf(options.Value, services, logger);
        KeyPrefix = options.Value.KeyPrefix;
        _prefix = Encoding.UTF8.GetBytes(KeyPrefix);
    }

    internal string KeyPrefix { get; }

    /// <inheritdoc/>
    public ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        var (record, life) = (RedisRecord.Of(claim), RedisRecord.Life(claim.Lease, claim.Retention));
        return claim.Supersedes is { } superseded
            ? Supersede.RunAsync(_connection, KeyOf(key), [record, life, Bytes(superseded)], cancellationToken)
            : Claim.RunAsync(_connection, KeyOf(key), [record, life], cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Renew.RunAsync(_connection, KeyOf(key), [Bytes(owner), RedisRecord.Life(lease, retention), RedisRecord.Retention(retention)], cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Renew.RunAsync(_connection, KeyOf(key), [Bytes(owner), RedisRecord.Life(lease, retention), RedisRecord.Retention(retention), Mark], cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        SaveSteps.RunAsync(
            _connection,
            KeyOf(key),
            [Bytes(owner), RedisRecord.Life(lease, retention), RedisRecord.Retention(retention), steps.EffectsStarted ? Mark : NoMark, RedisRecord.StepsVersion(steps.Version), Bytes(steps.Data)],
            cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
        Complete.RunAsync(_connection, KeyOf(key), [Bytes(owner), RedisRecord.Life(TimeSpan.Zero, retention), Bytes(payload)], cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken) =>
        Release.RunAsync(_connection, KeyOf(key), [Bytes(owner)], cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken) =>
        Read.RunAsync(_connection, KeyOf(key), [], cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var database = await _connection.DatabaseAsync(cancellationToken);
        try
        {
            return await _connection.InTime(database.KeyDeleteAsync(KeyOf(key)), cancellationToken);
        }
        catch (TimeoutException timeout) when (timeout is not RedisTimeoutException)
        {
            throw _connection.TookTooLong(timeout);
        }
    }

    /// <summary>Starts to connect in the background.</summary>
    internal void Open() => _connection.Open();

    /// <summary>Closes the connection, if the store opened it.</summary>
    public void Dispose() => _connection.Dispose();

    private static RedisConnection ConnectionOf(RedisIdempotencyStoreOptions options, IServiceProvider services, ILogger logger)
    {
        if (options.ConnectionMultiplexerFactory is { } factory)
        {
            return new RedisConnection(options, factory, isOwn: true, endsCalls: false, logger);
        }

        if (options.ConfigurationOptions is not null || options.Configuration is not null)
        {
            var configuration = RedisConfiguration.ForOwnConnection(options.ConfigurationOptions ?? ConfigurationOptions.Parse(options.Configuration!), options.CallTimeout);
            return new RedisConnection(options, async () => await ConnectionMultiplexer.ConnectAsync(configuration), isOwn: true, endsCalls: true, logger);
        }

        var shared = options.ConnectionServiceKey is { } key ? services.GetKeyedService<IConnectionMultiplexer>(key) : services.GetService<IConnectionMultiplexer>();
        return shared is not null
            ? new RedisConnection(options, () => Task.FromResult(shared), isOwn: false, endsCalls: false, logger)
            : throw new InvalidOperationException(options.ConnectionServiceKey is { } missing
                ? $"The Redis idempotency store has no connection: no IConnectionMultiplexer is registered with the key '{missing}'. Register one, for example with AddKeyedRedisClient(\"{missing}\"), or set a different {nameof(RedisIdempotencyStoreOptions.ConnectionServiceKey)}."
                : "The Redis idempotency store has no connection. Call AddRedisStore(\"host:6379\"), or register an IConnectionMultiplexer.");
    }

    // Keys and arguments are created as the bytes that are sent, without text in between.
    private RedisKey KeyOf(StoreKey key)
    {
        var bytes = new byte[_prefix.Length + HashDigits];
        _prefix.CopyTo(bytes, 0);
        Span<byte> hash = stackalloc byte[Sha256Hash.Length];
        key.Hash.CopyTo(hash);
        Convert.TryToHexStringLower(hash, bytes.AsSpan(_prefix.Length), out _);
        return bytes;
    }

    private static RedisValue Bytes(Guid owner) => owner.ToByteArray();

    // A payload never changes, so a whole array is sent without copying.
    private static RedisValue Bytes(ReadOnlyMemory<byte> payload) =>
        MemoryMarshal.TryGetArray(payload, out var segment) && segment.Array is { } array && array.Length == payload.Length ? array : payload.ToArray();

    /// <summary>Whether a script changed the record.</summary>
    private static bool IsDone(RedisResult reply) => (long)reply == 1;

    private static ClaimResult ParseTakeover(RedisResult reply) => (RedisValue[])reply! is var values && values is [var steps] ? ClaimResult.TookOver((byte[]?)steps) : ClaimResult.Held(Parse(values));

    private static ClaimResult ParseClaim(RedisResult reply) => (RedisValue[])reply! is var values && values is [var one] && one == 1 ? ClaimResult.Acquired : ClaimResult.Held(Parse(values));

    /// <summary>Reads a record and the rest of its lifetime.</summary>
    private static IdempotencyRecord? Parse(RedisValue[] reply) => reply is [var record, var left]
        ? (byte[]?)record is { } bytes ? RedisRecord.Parse(bytes, (long)left) ?? throw new IdempotencyRecordUnreadableException("The value of the Redis key is not an idempotency record, or has an unknown version.") : null
        : throw new IdempotencyRecordUnreadableException("The response of Redis is not valid.");
}
