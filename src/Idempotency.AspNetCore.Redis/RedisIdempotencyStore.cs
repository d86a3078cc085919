using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>Records in Redis or Valkey, one hash a key. See the package's README for the layout, persistence and eviction.</summary>
/// <remarks>
/// Each operation is one Lua script on one key (so it runs in Redis Cluster), which Redis runs alone: claim, compare and set in one round trip.
/// Time is the server's (<c>TIME</c>), and every write sets the expiry, a moment that the scripts check too.
/// </remarks>
public sealed class RedisIdempotencyStore : IIdempotencyStore, IDisposable
{
    private static readonly RedisScript Claim = new("claim");
    private static readonly RedisScript Renew = new("renew");
    private static readonly RedisScript Complete = new("complete");
    private static readonly RedisScript Release = new("release");
    private static readonly RedisScript Read = new("read");

    private readonly RedisConnection _connection;
    private readonly string _prefix;

    /// <summary>Creates the store. Applications register it with <c>AddIdempotency().AddRedisStore(...)</c>.</summary>
    /// <param name="options">Where and how.</param>
    /// <param name="services">Where the application's <see cref="IConnectionMultiplexer"/> comes from, when the options have no configuration.</param>
    /// <exception cref="InvalidOperationException">There is neither.</exception>
    public RedisIdempotencyStore(IOptions<RedisIdempotencyStoreOptions> options, IServiceProvider services)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(services);
        var shared = options.Value.Configuration is null ? services.GetService<IConnectionMultiplexer>() : null;
        if (options.Value.Configuration is null && shared is null)
        {
            throw new InvalidOperationException("The Redis idempotency store has no connection. Give it one with AddRedisStore(\"host:6379\"), or register an IConnectionMultiplexer.");
        }

        _connection = new RedisConnection(options, shared);
        _prefix = options.Value.KeyPrefix;
    }

    /// <inheritdoc/>
    public async ValueTask<ClaimResult> ClaimAsync(Sha256Hash key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        var result = await RunAsync(
            Claim,
            key,
            [
                Text(claim.Owner),
                claim.Fingerprint.ToString(),
                claim.Attempt,
                Milliseconds(claim.Lease),
                Milliseconds(claim.Retention),
                claim.Supersedes is { } superseded ? Text(superseded) : "",
            ],
            cancellationToken);
        var reply = (RedisValue[])result!;
        return reply[0] == "acquired" ? ClaimResult.Acquired : ClaimResult.Held(Parse(reply));
    }

    /// <inheritdoc/>
    public async ValueTask<bool> RenewAsync(Sha256Hash key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        (long)await RunAsync(Renew, key, [Text(owner), Milliseconds(lease), Milliseconds(retention)], cancellationToken) == 1;

    /// <inheritdoc/>
    public async ValueTask<bool> CompleteAsync(Sha256Hash key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
        (long)await RunAsync(Complete, key, [Text(owner), Milliseconds(retention), payload.ToArray()], cancellationToken) == 1;

    /// <inheritdoc/>
    public async ValueTask<bool> ReleaseAsync(Sha256Hash key, Guid owner, CancellationToken cancellationToken) =>
        (long)await RunAsync(Release, key, [Text(owner)], cancellationToken) == 1;

    /// <inheritdoc/>
    public async ValueTask<IdempotencyRecord?> ReadAsync(Sha256Hash key, CancellationToken cancellationToken) =>
        Parse((RedisValue[])(await RunAsync(Read, key, [], cancellationToken))!);

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(Sha256Hash key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var database = await _connection.DatabaseAsync(cancellationToken);
        return await database.KeyDeleteAsync(KeyOf(key)).WaitAsync(cancellationToken);
    }

    /// <summary>Closes the connection, if it is the store's own.</summary>
    public void Dispose() => _connection.Dispose();

    private async ValueTask<RedisResult> RunAsync(RedisScript script, Sha256Hash key, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var database = await _connection.DatabaseAsync(cancellationToken);
        try
        {
            return await script.RunAsync(database, KeyOf(key), arguments, cancellationToken);
        }
        catch (RedisServerException wrongType) when (wrongType.Message.Contains("WRONGTYPE", StringComparison.Ordinal))
        {
            throw new IdempotencyRecordUnreadableException($"The Redis key '{KeyOf(key)}' holds something that is no idempotency record. Give the store a KeyPrefix of its own.", wrongType);
        }
    }

    internal string KeyPrefix => _prefix;

    private string KeyOf(Sha256Hash key) => _prefix + key;

    private static string Text(Guid owner) => owner.ToString("N");

    private static long Milliseconds(TimeSpan time) => (long)Math.Ceiling(time.TotalMilliseconds);

    /// <summary>Reads what a script returned: nothing; a record; or something that is neither.</summary>
    private static IdempotencyRecord? Parse(RedisValue[] reply)
    {
        if (reply[0] == "gone")
        {
            return null;
        }

        if (reply[0] == "held" && reply.Length == 8
            && (string?)reply[1] is "INPROGRESS" or "COMPLETED"
            && Guid.TryParseExact((string?)reply[2], "N", out var owner)
            && TryParseHash(reply[3], out var fingerprint)
            && int.TryParse((string?)reply[4], NumberStyles.None, CultureInfo.InvariantCulture, out var attempt)
            && long.TryParse((string?)reply[5], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var lease)
            && long.TryParse((string?)reply[6], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var gone))
        {
            var isCompleted = reply[1] == "COMPLETED";
            return new IdempotencyRecord
            {
                Status = isCompleted ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
                Owner = owner,
                Attempt = attempt,
                Fingerprint = fingerprint,
                Payload = (byte[]?)reply[7] ?? [],
                LeaseRemaining = isCompleted ? TimeSpan.Zero : TimeSpan.FromMilliseconds(lease),
                RetentionRemaining = TimeSpan.FromMilliseconds(gone),
            };
        }

        throw new IdempotencyRecordUnreadableException("The Redis hash has fields missing or malformed.");
    }

    private static bool TryParseHash(string? hex, out Sha256Hash hash)
    {
        hash = default;
        Span<byte> bytes = stackalloc byte[Sha256Hash.Length];
        if (hex is null || Convert.FromHexString(hex, bytes, out var used, out var written) != System.Buffers.OperationStatus.Done || written != Sha256Hash.Length || used != hex.Length)
        {
            return false;
        }

        hash = Sha256Hash.FromBytes(bytes);
        return true;
    }
}
