using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
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
    private static readonly RedisScript<ClaimResult> Claim = new("claim", static reply => IsDone(reply) ? ClaimResult.Acquired : ClaimResult.Held(Parse(reply)));
    private static readonly RedisScript<bool> Renew = new("renew", IsDone);
    private static readonly RedisScript<bool> Complete = new("complete", IsDone);
    private static readonly RedisScript<bool> Release = new("release", IsDone);
    private static readonly RedisScript<IdempotencyRecord?> Read = new("read", Parse);

    private static readonly RedisValue InProgress = "INPROGRESS"u8.ToArray();
    private static readonly RedisValue Completed = "COMPLETED"u8.ToArray();

    // Longer than that is no time that a record was written with.
    private const long LongestMilliseconds = long.MaxValue / TimeSpan.TicksPerMillisecond;

    private const int HashDigits = 2 * Sha256Hash.Length;
    private const int OwnerDigits = 32;

    private readonly RedisConnection _connection;
    private readonly byte[] _prefix;

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
        KeyPrefix = options.Value.KeyPrefix;
        _prefix = Encoding.UTF8.GetBytes(KeyPrefix);
    }

    internal string KeyPrefix { get; }

    /// <inheritdoc/>
    public ValueTask<ClaimResult> ClaimAsync(Sha256Hash key, IdempotencyClaim claim, CancellationToken cancellationToken) => Claim.RunAsync(
        _connection,
        KeyOf(key),
        [
            Hex(claim.Owner),
            Hex(claim.Fingerprint),
            claim.Attempt,
            Milliseconds(claim.Lease),
            Milliseconds(claim.Retention),
            claim.Supersedes is { } superseded ? Hex(superseded) : RedisValue.EmptyString,
        ],
        cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(Sha256Hash key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Renew.RunAsync(_connection, KeyOf(key), [Hex(owner), Milliseconds(lease), Milliseconds(retention)], cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(Sha256Hash key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
        Complete.RunAsync(_connection, KeyOf(key), [Hex(owner), Milliseconds(retention), Bytes(payload)], cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(Sha256Hash key, Guid owner, CancellationToken cancellationToken) =>
        Release.RunAsync(_connection, KeyOf(key), [Hex(owner)], cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IdempotencyRecord?> ReadAsync(Sha256Hash key, CancellationToken cancellationToken) =>
        Read.RunAsync(_connection, KeyOf(key), [], cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(Sha256Hash key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var database = await _connection.DatabaseAsync(cancellationToken);
        var deleted = await database.KeyDeleteAsync(KeyOf(key)).WaitAsync(cancellationToken);
        await Task.Yield(); // as after a script
        return deleted;
    }

    /// <summary>Closes the connection, if it is the store's own.</summary>
    public void Dispose() => _connection.Dispose();

    // Keys and arguments are made as the bytes that are sent: no text in between.
    private RedisKey KeyOf(Sha256Hash key)
    {
        var bytes = new byte[_prefix.Length + HashDigits];
        _prefix.CopyTo(bytes, 0);
        WriteHex(key, bytes.AsSpan(_prefix.Length));
        return bytes;
    }

    private static RedisValue Hex(Sha256Hash hash)
    {
        var digits = new byte[HashDigits];
        WriteHex(hash, digits);
        return digits;
    }

    private static RedisValue Hex(Guid owner)
    {
        var digits = new byte[OwnerDigits];
        owner.TryFormat(digits, out _, "N");
        return digits;
    }

    private static void WriteHex(Sha256Hash hash, Span<byte> digits)
    {
        Span<byte> bytes = stackalloc byte[Sha256Hash.Length];
        hash.CopyTo(bytes);
        Convert.TryToHexStringLower(bytes, digits, out _);
    }

    // A payload never changes: one that is a whole array is sent from there.
    private static RedisValue Bytes(ReadOnlyMemory<byte> payload) =>
        MemoryMarshal.TryGetArray(payload, out var segment) && segment.Array is { } array && array.Length == payload.Length ? array : payload.ToArray();

    private static long Milliseconds(TimeSpan time) => (long)Math.Ceiling(time.TotalMilliseconds);

    /// <summary>Whether a script did what it is for.</summary>
    private static bool IsDone(RedisValue[] reply) => reply is [var one] && one == 1;

    /// <summary>Reads what a script returned: 0 for nothing; a record; or something that is neither.</summary>
    private static IdempotencyRecord? Parse(RedisValue[] reply)
    {
        if (reply is [var none] && none == 0)
        {
            return null;
        }

        if (reply is [var status, var owner, var fingerprint, var attempt, var lease, var retention, var payload]
            && (status == InProgress || status == Completed)
            && TryParseGuid(owner, out var by)
            && TryParseHash(fingerprint, out var of)
            && int.TryParse((byte[]?)attempt, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && TryParseTime(lease, out var leaseRemaining)
            && TryParseTime(retention, out var retentionRemaining))
        {
            var isCompleted = status == Completed;
            return new IdempotencyRecord
            {
                Status = isCompleted ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
                Owner = by,
                Attempt = number,
                Fingerprint = of,
                Payload = (byte[]?)payload ?? [],
                LeaseRemaining = isCompleted ? TimeSpan.Zero : leaseRemaining,
                RetentionRemaining = retentionRemaining,
            };
        }

        throw new IdempotencyRecordUnreadableException("The Redis hash has fields missing or malformed.");
    }

    private static bool TryParseGuid(byte[]? text, out Guid guid)
    {
        guid = default;
        return text is { Length: OwnerDigits } && Utf8Parser.TryParse(text, out guid, out var used, 'N') && used == OwnerDigits;
    }

    private static bool TryParseTime(RedisValue milliseconds, out TimeSpan time)
    {
        var number = (long)milliseconds; // the scripts return numbers
        time = default;
        if (number is < -LongestMilliseconds or > LongestMilliseconds)
        {
            return false;
        }

        time = TimeSpan.FromMilliseconds(number);
        return true;
    }

    private static bool TryParseHash(byte[]? hex, out Sha256Hash hash)
    {
        hash = default;
        Span<byte> bytes = stackalloc byte[Sha256Hash.Length];
        if (hex is not { Length: HashDigits } || Convert.FromHexString(hex, bytes, out _, out _) != OperationStatus.Done)
        {
            return false;
        }

        hash = Sha256Hash.FromBytes(bytes);
        return true;
    }
}
