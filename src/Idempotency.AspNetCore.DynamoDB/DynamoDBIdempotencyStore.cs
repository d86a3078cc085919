using System.Runtime.CompilerServices;
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

    private readonly IAmazonDynamoDB _client;
    private readonly bool _ownsClient;
    private readonly DynamoDBIdempotencyStoreOptions _options;
    private readonly DynamoDBTable _table;
    private readonly DynamoDBRecord _record;
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
        _record = new DynamoDBRecord(_options);
        _freeNames = _record.Names(Free);
        _supersededNames = _record.Names(Superseded);
        _renewalNames = _record.Names(Renewal + OwnedAndThere);
        _markNames = _record.Names(Mark + OwnedAndThere);
        _completionNames = _record.Names(Completion + OwnedAndThere);
        _releaseNames = _record.Names(OwnedAndThere);
        _abandonedNames = _record.Names(Abandoned + OfAbandoned);
        _abandonedNames["#id"] = _record.StoreKeyAttribute;
    }

    /// <inheritdoc/>
    public int MaxPayloadSize => DynamoDBRecord.LargestData;

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <inheritdoc/>
    public async ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await _table.EnsureAsync(cancellationToken);
        var now = Now;
        var values = new Dictionary<string, AttributeValue>(4) { [":inprogress"] = DynamoDBRecord.InProgress, [":lapsed"] = _record.Lapsed(now) };
        if (claim.Supersedes is { } superseded)
        {
            values[":superseded"] = DynamoDBRecord.Owner(superseded);
        }
        else
        {
            values[":now"] = DynamoDBRecord.Number(now);
            values[":seconds"] = DynamoDBRecord.Number(now / 1000);
        }

        try
        {
            await _client.PutItemAsync(
                new PutItemRequest
                {
                    TableName = _options.TableName,
                    Item = _record.Of(key, claim, now),
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
            // An own claim in the way is this very one's first try, whose reply the SDK did not get.
            return _record.IsClaimOf(failed.Item, claim.Owner) ? ClaimResult.Acquired : ClaimResult.Held(_record.Parse(failed.Item, now));
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The reply may be what was lost, and the item written. Look; what cannot be seen either is thrown.
            if (await IsWrittenAsync(key, claim.Owner))
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
        values[":true"] = DynamoDBRecord.True;
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
        values[":completed"] = DynamoDBRecord.Completed;
        values[":data"] = DynamoDBRecord.Binary(payload);
        AddExpiry(values, now + DynamoDBRecord.Milliseconds(retention));
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
                    Key = _record.Key(key),
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
        return _record.Parse(await GetAsync(key, cancellationToken), Now);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await _table.EnsureAsync(cancellationToken);
        var response = await _client.DeleteItemAsync(
            new DeleteItemRequest { TableName = _options.TableName, Key = _record.Key(key), ReturnValues = ReturnValue.ALL_OLD }, cancellationToken);
        return response.Attributes is { Count: > 0 } old && !_record.IsGone(old, Now);
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
                    ExpressionAttributeValues = new(3) { [":inprogress"] = DynamoDBRecord.InProgress, [":lapsed"] = _record.Lapsed(now), [":now"] = DynamoDBRecord.Number(now) },
                    ExclusiveStartKey = after,
                },
                cancellationToken);
            foreach (var item in page.Items ?? [])
            {
                if (_record.ParseAbandoned(item, now) is { } claim)
                {
                    yield return claim;
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
        [":me"] = DynamoDBRecord.Owner(owner),
        [":inprogress"] = DynamoDBRecord.InProgress,
        [":now"] = DynamoDBRecord.Number(now),
    };

    private Dictionary<string, AttributeValue> RenewedBy(Guid owner, TimeSpan lease, TimeSpan retention)
    {
        var now = Now;
        var until = now + DynamoDBRecord.Milliseconds(lease);
        var values = OwnedBy(owner, now);
        values[":lease"] = DynamoDBRecord.Number(until);
        AddExpiry(values, until + DynamoDBRecord.Milliseconds(retention));
        return values;
    }

    private static void AddExpiry(Dictionary<string, AttributeValue> values, long gone)
    {
        values[":exact"] = DynamoDBRecord.Number(gone);
        values[":expiry"] = DynamoDBRecord.Number(DynamoDBRecord.Seconds(gone));
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
                    Key = _record.Key(key),
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
        (await _client.GetItemAsync(new GetItemRequest { TableName = _options.TableName, Key = _record.Key(key), ConsistentRead = true }, cancellationToken)).Item;

    private async Task<bool> IsWrittenAsync(StoreKey key, Guid owner)
    {
        try
        {
            return _record.IsClaimOf(await GetAsync(key, CancellationToken.None), owner);
        }
        catch (Exception)
        {
            return false; // the put's own failure says more
        }
    }
}
