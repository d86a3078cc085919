using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Records in Amazon DynamoDB, one item a key. See the package's README for the table, the rights it needs and what a request costs.</summary>
/// <remarks>
/// <para>A claim is one conditional <c>PutItem</c>, and returns the item that is in its way with the same call
/// (<c>ReturnValuesOnConditionCheckFailure=ALL_OLD</c>). Completing, renewing and releasing carry the condition
/// <c>owner = :me AND status = INPROGRESS</c>. Reads are strongly consistent.</para>
/// <para>Time is this server's clock: DynamoDB has none to ask. A lease counts as over only <see cref="DynamoDBIdempotencyStoreOptions.ClockSkewTolerance"/>
/// after its end. Time to live only tidies up; whether a record is gone is decided by its own milliseconds.</para>
/// <para>Throttling and lost connections are tried again by the SDK; what fails after that is thrown.</para>
/// </remarks>
public sealed class DynamoDBIdempotencyStore : IIdempotencyStore, IAbandonedClaimSource, IDisposable
{
    private const string InProgress = "INPROGRESS";
    private const string Completed = "COMPLETED";

    // An item may have 400 KB with its attribute names (Amazon DynamoDB Developer Guide, "Quotas"); what is not data stays far below 8 KB.
    private const int LargestData = (400 - 8) * 1024;

    // Free when: 1. there is no item; 2. it is gone: its expiry is over (to the millisecond, or to the second where another library wrote
    // it) and, if it is in progress, so is its lease. Superseding, 3. exactly that owner's claim must be there and have lapsed.
    private const string Free = "attribute_not_exists(#id) OR ((#exact <= :now OR (attribute_not_exists(#exact) AND #expiry <= :seconds)) "
        + "AND (#status <> :inprogress OR attribute_not_exists(#lease) OR #lease <= :lapsed))";
    private const string Superseded = "#status = :inprogress AND #owner = :superseded AND #lease <= :lapsed AND attribute_not_exists(#effects)";
    private const string OwnedAndThere = "#owner = :me AND #status = :inprogress AND #exact > :now";
    private const string Renewal = "SET #lease = :lease, #exact = :exact, #expiry = :expiry";
    private const string Mark = Renewal + ", #effects = :true";
    private const string Abandoned = "#status = :inprogress AND #lease <= :lapsed AND #exact > :now";
    private const string OfAbandoned = "#id, #attempt, #lease";
    private const string Completion = "SET #status = :completed, #data = :data, #exact = :exact, #expiry = :expiry REMOVE #lease, #effects";

    // The client only reads what it is given, so what is always the same is made once.
    private static readonly AttributeValue InProgressValue = new(InProgress);
    private static readonly AttributeValue CompletedValue = new(Completed);
    private static readonly AttributeValue True = new() { BOOL = true };

    private readonly IAmazonDynamoDB _client;
    private readonly bool _ownsClient;
    private readonly DynamoDBIdempotencyStoreOptions _options;
    private readonly DynamoDBTable _table;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, string> _freeNames;
    private readonly Dictionary<string, string> _supersededNames;
    private readonly Dictionary<string, string> _renewalNames;
    private readonly Dictionary<string, string> _markNames;
    private readonly Dictionary<string, string> _completionNames;
    private readonly Dictionary<string, string> _releaseNames;
    private readonly Dictionary<string, string> _abandonedNames;

    /// <summary>Creates the store. Applications register it with <c>AddIdempotency().AddDynamoDBStore(...)</c>.</summary>
    /// <param name="options">Where and how.</param>
    /// <param name="services">Where the application's <see cref="IAmazonDynamoDB"/> comes from.</param>
    /// <param name="timeProvider">This server's clock.</param>
    public DynamoDBIdempotencyStore(IOptions<DynamoDBIdempotencyStoreOptions> options, IServiceProvider services, TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(services);
        _options = options.Value;
        _time = timeProvider;
        if (_options.ServiceUrl is { } url)
        {
            _client = new AmazonDynamoDBClient(new AmazonDynamoDBConfig { ServiceURL = url });
            _ownsClient = true;
        }
        else if (services.GetService<IAmazonDynamoDB>() is { } shared)
        {
            _client = shared;
        }
        else
        {
            _client = new AmazonDynamoDBClient();
            _ownsClient = true;
        }

        _table = new DynamoDBTable(_client, _options);
        _freeNames = Names(Free);
        _supersededNames = Names(Superseded);
        _renewalNames = Names(Renewal + OwnedAndThere);
        _markNames = Names(Mark + OwnedAndThere);
        _completionNames = Names(Completion + OwnedAndThere);
        _releaseNames = Names(OwnedAndThere);
        _abandonedNames = Names(Abandoned + OfAbandoned);
        _abandonedNames["#id"] = _options.SortKeyAttribute ?? _options.KeyAttribute;
    }

    /// <inheritdoc/>
    public int MaxPayloadSize => LargestData;

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private long Skew => (long)_options.ClockSkewTolerance.TotalMilliseconds;

    /// <inheritdoc/>
    public async ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await _table.EnsureAsync(cancellationToken);
        var now = Now;
        var lease = now + Milliseconds(claim.Lease);
        var gone = lease + Milliseconds(claim.Retention);
        var item = KeyOf(key, attributes: 9);
        item[_options.StatusAttribute] = InProgressValue;
        item[_options.OwnerAttribute] = new AttributeValue(Text(claim.Owner));
        item[_options.AttemptAttribute] = Number(claim.Attempt);
        item[_options.ValidationAttribute] = Binary(BytesOf(claim.Fingerprint.Hash));
        item[_options.InProgressExpiryAttribute] = Number(lease);
        item[_options.ExactExpiryAttribute] = Number(gone);
        item[_options.ExpiryAttribute] = Number(Seconds(gone));
        var values = new Dictionary<string, AttributeValue>(4) { [":inprogress"] = InProgressValue, [":lapsed"] = Number(now - Skew) };
        if (claim.Supersedes is { } superseded)
        {
            values[":superseded"] = new AttributeValue(Text(superseded));
        }
        else
        {
            values[":now"] = Number(now);
            values[":seconds"] = Number(now / 1000);
        }

        try
        {
            await _client.PutItemAsync(
                new PutItemRequest
                {
                    TableName = _options.TableName,
                    Item = item,
                    ConditionExpression = claim.Supersedes is null ? Free : Superseded,
                    ExpressionAttributeNames = claim.Supersedes is null ? _freeNames : _supersededNames,
                    ExpressionAttributeValues = values,
                    ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure.ALL_OLD,
                },
                cancellationToken);
            return ClaimResult.Acquired;
        }
        catch (ConditionalCheckFailedException failed)
        {
            // As of the moment that the condition was about: by now it may be gone.
            return IsOurs(failed.Item, claim) ? ClaimResult.Acquired : ClaimResult.Held(Parse(failed.Item, now));
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The reply may be what was lost, and the item written. Look; what cannot be seen either is thrown.
            if (await IsWrittenAsync(key, claim))
            {
                return ClaimResult.Acquired;
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        var values = RenewedBy(owner, lease, retention);
        return UpdateAsync(key, Renewal, _renewalNames, values, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        var values = RenewedBy(owner, lease, retention);
        values[":true"] = True;
        return UpdateAsync(key, Mark, _markNames, values, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        throw new NotSupportedException("TEMPORARY: the store is being given steps.");

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken)
    {
        var now = Now;
        var values = OwnedBy(owner, now);
        values[":completed"] = CompletedValue;
        values[":data"] = Binary(payload);
        AddExpiry(values, now + Milliseconds(retention));
        return UpdateAsync(key, Completion, _completionNames, values, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await _table.EnsureAsync(cancellationToken);
        try
        {
            await _client.DeleteItemAsync(
                new DeleteItemRequest
                {
                    TableName = _options.TableName,
                    Key = KeyOf(key),
                    ConditionExpression = OwnedAndThere,
                    ExpressionAttributeNames = _releaseNames,
                    ExpressionAttributeValues = OwnedBy(owner, Now),
                },
                cancellationToken);
            return true;
        }
        catch (ConditionalCheckFailedException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await _table.EnsureAsync(cancellationToken);
        return Parse(await GetAsync(key, cancellationToken), Now);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await _table.EnsureAsync(cancellationToken);
        var response = await _client.DeleteItemAsync(
            new DeleteItemRequest { TableName = _options.TableName, Key = KeyOf(key), ReturnValues = ReturnValue.ALL_OLD }, cancellationToken);
        return response.Attributes is { Count: > 0 } old && !IsGone(old, Now);
    }

    /// <inheritdoc/>
    /// <remarks>It scans the table, page by page: a read of all it holds, which DynamoDB charges for. For an operator's question, not for a dashboard.</remarks>
    public async IAsyncEnumerable<AbandonedClaim> ListAbandonedAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await _table.EnsureAsync(cancellationToken);
        Dictionary<string, AttributeValue>? after = null;
        do
        {
            var now = Now;
            var page = await _client.ScanAsync(
                new ScanRequest
                {
                    TableName = _options.TableName,
                    FilterExpression = Abandoned,
                    ProjectionExpression = OfAbandoned,
                    ExpressionAttributeNames = _abandonedNames,
                    ExpressionAttributeValues = new(3) { [":inprogress"] = InProgressValue, [":lapsed"] = Number(now - Skew), [":now"] = Number(now) },
                    ExclusiveStartKey = after,
                },
                cancellationToken);
            foreach (var item in page.Items ?? [])
            {
                if (Sha256Hash.TryParse(item.GetValueOrDefault(_abandonedNames["#id"])?.S, out var key)
                    && TryNumber(item, _options.AttemptAttribute, out var attempt)
                    && TryNumber(item, _options.InProgressExpiryAttribute, out var lease))
                {
                    yield return new AbandonedClaim(new StoreKey(key), (int)attempt, TimeSpan.FromMilliseconds(now - lease));
                }
            }

            after = page.LastEvaluatedKey is { Count: > 0 } last ? last : null;
        }
        while (after is not null);
    }

    /// <summary>Closes the client, if it is the store's own.</summary>
    public void Dispose()
    {
        if (_ownsClient)
        {
            _client.Dispose();
        }
    }

    private static Dictionary<string, AttributeValue> OwnedBy(Guid owner, long now) => new(7)
    {
        [":me"] = new AttributeValue(Text(owner)),
        [":inprogress"] = InProgressValue,
        [":now"] = Number(now),
    };

    private Dictionary<string, AttributeValue> RenewedBy(Guid owner, TimeSpan lease, TimeSpan retention)
    {
        var now = Now;
        var until = now + Milliseconds(lease);
        var values = OwnedBy(owner, now);
        values[":lease"] = Number(until);
        AddExpiry(values, until + Milliseconds(retention));
        return values;
    }

    private static void AddExpiry(Dictionary<string, AttributeValue> values, long gone)
    {
        values[":exact"] = Number(gone);
        values[":expiry"] = Number(Seconds(gone));
    }

    private async ValueTask<bool> UpdateAsync(StoreKey key, string update, Dictionary<string, string> names, Dictionary<string, AttributeValue> values, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await _table.EnsureAsync(cancellationToken);
        try
        {
            await _client.UpdateItemAsync(
                new UpdateItemRequest
                {
                    TableName = _options.TableName,
                    Key = KeyOf(key),
                    UpdateExpression = update,
                    ConditionExpression = OwnedAndThere,
                    ExpressionAttributeNames = names,
                    ExpressionAttributeValues = values,
                },
                cancellationToken);
            return true;
        }
        catch (ConditionalCheckFailedException)
        {
            return false;
        }
    }

    private async Task<Dictionary<string, AttributeValue>?> GetAsync(StoreKey key, CancellationToken cancellationToken) =>
        (await _client.GetItemAsync(new GetItemRequest { TableName = _options.TableName, Key = KeyOf(key), ConsistentRead = true }, cancellationToken)).Item;

    private async Task<bool> IsWrittenAsync(StoreKey key, IdempotencyClaim claim)
    {
        try
        {
            return IsOurs(await GetAsync(key, CancellationToken.None), claim);
        }
        catch (Exception)
        {
            return false; // the put's own failure says more
        }
    }

    /// <summary>An own claim in the way of a claim is its own first try, whose reply the SDK did not get.</summary>
    private bool IsOurs(Dictionary<string, AttributeValue>? item, IdempotencyClaim claim) =>
        item is not null
        && item.TryGetValue(_options.OwnerAttribute, out var owner) && owner.S == Text(claim.Owner)
        && item.TryGetValue(_options.StatusAttribute, out var status) && status.S == InProgress;

    private Dictionary<string, AttributeValue> KeyOf(StoreKey key, int attributes = 2)
    {
        var item = new Dictionary<string, AttributeValue>(attributes);
        item[_options.KeyAttribute] = new AttributeValue(_options.SortKeyAttribute is null ? key.ToString() : _options.StaticPartitionKey);
        if (_options.SortKeyAttribute is { } sort)
        {
            item[sort] = new AttributeValue(key.ToString());
        }

        return item;
    }

    // DynamoDB refuses names that an expression does not use.
    private Dictionary<string, string> Names(string expression) => new (string Placeholder, string Attribute)[]
    {
        ("#id", _options.KeyAttribute),
        ("#status", _options.StatusAttribute),
        ("#owner", _options.OwnerAttribute),
        ("#expiry", _options.ExpiryAttribute),
        ("#exact", _options.ExactExpiryAttribute),
        ("#lease", _options.InProgressExpiryAttribute),
        ("#data", _options.DataAttribute),
        ("#attempt", _options.AttemptAttribute),
        ("#effects", _options.EffectsStartedAttribute),
    }.Where(name => expression.Contains(name.Placeholder, StringComparison.Ordinal)).ToDictionary(name => name.Placeholder, name => name.Attribute);

    private bool IsGone(Dictionary<string, AttributeValue> item, long now)
    {
        var isOver = TryNumber(item, _options.ExactExpiryAttribute, out var exact) ? exact <= now
            : TryNumber(item, _options.ExpiryAttribute, out var seconds) && seconds <= now / 1000;
        var isInProgress = item.TryGetValue(_options.StatusAttribute, out var status) && status.S == InProgress;
        return isOver && (!isInProgress || !TryNumber(item, _options.InProgressExpiryAttribute, out var lease) || lease <= now - Skew);
    }

    private IdempotencyRecord? Parse(Dictionary<string, AttributeValue>? item, long now)
    {
        if (item is null || item.Count == 0 || IsGone(item, now))
        {
            return null;
        }

        var status = item.GetValueOrDefault(_options.StatusAttribute)?.S;
        long lease = 0;
        if (status is InProgress or Completed
            && Guid.TryParseExact(item.GetValueOrDefault(_options.OwnerAttribute)?.S, "N", out var owner)
            && TryNumber(item, _options.AttemptAttribute, out var attempt) && attempt is > 0 and <= int.MaxValue
            && item.GetValueOrDefault(_options.ValidationAttribute)?.B is { Length: Sha256Hash.Length } fingerprint
            && TryNumber(item, _options.ExactExpiryAttribute, out var gone)
            && (status == Completed || TryNumber(item, _options.InProgressExpiryAttribute, out lease)))
        {
            return new IdempotencyRecord
            {
                Status = status == Completed ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
                Owner = owner,
                Attempt = (int)attempt,
                Fingerprint = new Fingerprint(Sha256Hash.FromBytes(fingerprint.ToArray())),
                Payload = item.GetValueOrDefault(_options.DataAttribute)?.B?.ToArray() ?? [],
                EffectsStarted = status == InProgress && item.ContainsKey(_options.EffectsStartedAttribute),
                LeaseRemaining = status == Completed ? TimeSpan.Zero : TimeSpan.FromMilliseconds(lease + Skew - now),
                RetentionRemaining = TimeSpan.FromMilliseconds(gone - now),
            };
        }

        throw new IdempotencyRecordUnreadableException("The DynamoDB item has attributes missing or malformed: another library wrote it, or it is damaged.");
    }

    private static bool TryNumber(Dictionary<string, AttributeValue> item, string attribute, out long number)
    {
        number = 0;
        return item.TryGetValue(attribute, out var value) && long.TryParse(value.N, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);
    }

    private static byte[] BytesOf(Sha256Hash hash)
    {
        var bytes = new byte[Sha256Hash.Length];
        hash.CopyTo(bytes);
        return bytes;
    }

    private static AttributeValue Number(long value) => new() { N = value.ToString(CultureInfo.InvariantCulture) };

    // A payload never changes: one that is a whole array is sent from there. Visible, so that the client does not copy it either.
    private static AttributeValue Binary(ReadOnlyMemory<byte> bytes)
    {
        var array = MemoryMarshal.TryGetArray(bytes, out var segment) && segment.Array is { } whole && whole.Length == bytes.Length ? whole : bytes.ToArray();
        return new AttributeValue { B = new MemoryStream(array, 0, array.Length, writable: false, publiclyVisible: true) };
    }

    private static string Text(Guid owner) => owner.ToString("N");

    private static long Milliseconds(TimeSpan time) => (long)Math.Ceiling(time.TotalMilliseconds);

    // Rounded up: time to live must not remove what is still owed.
    private static long Seconds(long milliseconds) => (milliseconds + 999) / 1000;
}
