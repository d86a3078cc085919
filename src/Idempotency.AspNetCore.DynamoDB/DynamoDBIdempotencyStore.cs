using System.Runtime.CompilerServices;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Records in Amazon DynamoDB, one item a key. See the package's README for the table, the rights it needs and what a request costs.</summary>
/// <remarks>
/// <para>A claim is one conditional <c>PutItem</c>, and returns the item that is in its way with the same call
/// (<c>ReturnValuesOnConditionCheckFailure=ALL_OLD</c>). A takeover is one conditional <c>UpdateItem</c>: it leaves the steps in the item, and returns them.
/// Completing, renewing, saving steps and releasing carry the condition
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
    private const string Takeover = "SET #owner = :owner, #attempt = :attempt, #validation = :validation, #lease = :lease, #exact = :exact, #expiry = :expiry";
    private const string OwnedAndThere = "#owner = :me AND #status = :inprogress AND #exact > :now";
    private const string Renewal = "SET #lease = :lease, #exact = :exact, #expiry = :expiry";
    private const string Mark = Renewal + ", #effects = :true";
    private const string Steps = Renewal + ", #data = :data, #steps = :version";
    private const string MarkingSteps = Steps + ", #effects = :true";
    private const string UnmarkingSteps = Steps + " REMOVE #effects";
    private const string OwnedWithoutTheseSteps = OwnedAndThere + " AND (attribute_not_exists(#steps) OR #steps < :version)";
    private const string OwnedWithoutSteps = OwnedAndThere + " AND attribute_not_exists(#steps)";
    private const string Release = "SET #owner = :nobody, #lease = :released REMOVE #effects";
    private const string Abandoned = "#status = :inprogress AND #lease <= :lapsed AND #exact > :now";
    private const string OfAbandoned = "#id, #attempt, #lease";
    private const string Completion = "SET #status = :completed, #data = :data, #exact = :exact, #expiry = :expiry REMOVE #lease, #effects, #steps";

    private readonly IAmazonDynamoDB _client;
    private readonly bool _ownsClient;
    private readonly DynamoDBIdempotencyStoreOptions _options;
    private readonly DynamoDBTable _table;
    private readonly DynamoDBRecord _record;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, string> _freeNames;
    private readonly Dictionary<string, string> _takeoverNames;
    private readonly Dictionary<string, string> _renewalNames;
    private readonly Dictionary<string, string> _markNames;
    private readonly Dictionary<string, string> _stepsNames;
    private readonly Dictionary<string, string> _completionNames;
    private readonly Dictionary<string, string> _removalNames;
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
        _takeoverNames = _record.Names(Takeover + Superseded);
        _renewalNames = _record.Names(Renewal + OwnedAndThere);
        _markNames = _record.Names(Mark + OwnedAndThere);
        _stepsNames = _record.Names(MarkingSteps + OwnedWithoutTheseSteps); // the same with and without the mark
        _completionNames = _record.Names(Completion + OwnedAndThere);
        _removalNames = _record.Names(OwnedWithoutSteps);
        _releaseNames = _record.Names(Release + OwnedAndThere);
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
        try
        {
            if (claim.Supersedes is { } superseded)
            {
                return ClaimResult.TookOver(_record.DataOf(await TakeOverAsync(key, claim, superseded, now, cancellationToken)));
            }

            await TakeAsync(key, claim, now, cancellationToken);
            return ClaimResult.Acquired;
        }
        catch (ConditionalCheckFailedException failed)
        {
            // As of the moment that the condition was about: by now it may be gone.
            // An own claim in the way is this very one's first try, whose reply the SDK did not get.
            return _record.IsClaimOf(failed.Item, claim.Owner) ? Acquired(claim, failed.Item) : ClaimResult.Held(_record.Parse(failed.Item, now));
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The reply may be what was lost, and the item written. Look; what cannot be seen either is thrown.
            if (await FindWrittenAsync(key, claim.Owner) is { } written)
            {
                return Acquired(claim, written);
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
    public async ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await _table.EnsureAsync(cancellationToken);
        var values = RenewedBy(owner, lease, retention);
        values[":data"] = DynamoDBRecord.Binary(steps.Data);
        values[":version"] = DynamoDBRecord.Number(steps.Version);
        if (steps.EffectsStarted)
        {
            values[":true"] = DynamoDBRecord.True;
        }

        try
        {
            await _client.UpdateItemAsync(
                new UpdateItemRequest
                {
                    TableName = _options.TableName,
                    Key = _record.Key(key),
                    UpdateExpression = steps.EffectsStarted ? MarkingSteps : UnmarkingSteps,
                    ConditionExpression = OwnedWithoutTheseSteps,
                    ExpressionAttributeNames = _stepsNames,
                    ExpressionAttributeValues = values,
                    ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure.ALL_OLD,
                },
                cancellationToken);
            return true;
        }
        catch (ConditionalCheckFailedException failed)
        {
            // It has these steps, or later ones; also when this is the SDK's second try, and the reply to the first was lost.
            return _record.IsRenewableBy(owner, failed.Item, Now);
        }
    }

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
                    ConditionExpression = OwnedWithoutSteps,
                    ExpressionAttributeNames = _removalNames,
                    ExpressionAttributeValues = OwnedBy(owner, Now),
                    ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure.ALL_OLD,
                },
                cancellationToken);
            return true;
        }
        catch (ConditionalCheckFailedException failed)
        {
            return _record.IsClaimOf(failed.Item, owner) && await ReleaseWithStepsAsync(key, owner, cancellationToken);
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

    private ValueTask<bool> ReleaseWithStepsAsync(StoreKey key, Guid owner, CancellationToken cancellationToken)
    {
        var now = Now;
        var values = OwnedBy(owner, now);
        values[":nobody"] = DynamoDBRecord.Nobody;
        values[":released"] = _record.Released(now);
        return UpdateAsync(key, Release, _releaseNames, values, cancellationToken);
    }

    private static void AddExpiry(Dictionary<string, AttributeValue> values, long gone)
    {
        values[":exact"] = DynamoDBRecord.Number(gone);
        values[":expiry"] = DynamoDBRecord.Number(DynamoDBRecord.Seconds(gone));
    }

    private Task<PutItemResponse> TakeAsync(StoreKey key, IdempotencyClaim claim, long now, CancellationToken cancellationToken) => _client.PutItemAsync(
        new PutItemRequest
        {
            TableName = _options.TableName,
            Item = _record.Of(key, claim, now),
            ConditionExpression = Free,
            ExpressionAttributeNames = _freeNames,
            ExpressionAttributeValues = new(4)
            {
                [":inprogress"] = DynamoDBRecord.InProgress,
                [":lapsed"] = _record.Lapsed(now),
                [":now"] = DynamoDBRecord.Number(now),
                [":seconds"] = DynamoDBRecord.Number(now / 1000),
            },
            ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure.ALL_OLD,
        },
        cancellationToken);

    /// <returns>The item, with the steps that are in it.</returns>
    private async Task<Dictionary<string, AttributeValue>> TakeOverAsync(StoreKey key, IdempotencyClaim claim, Guid superseded, long now, CancellationToken cancellationToken)
    {
        var lease = now + DynamoDBRecord.Milliseconds(claim.Lease);
        var values = new Dictionary<string, AttributeValue>(9)
        {
            [":inprogress"] = DynamoDBRecord.InProgress,
            [":lapsed"] = _record.Lapsed(now),
            [":superseded"] = DynamoDBRecord.Owner(superseded),
            [":owner"] = DynamoDBRecord.Owner(claim.Owner),
            [":attempt"] = DynamoDBRecord.Number(claim.Attempt),
            [":validation"] = DynamoDBRecord.Fingerprint(claim.Fingerprint),
            [":lease"] = DynamoDBRecord.Number(lease),
        };
        AddExpiry(values, lease + DynamoDBRecord.Milliseconds(claim.Retention));
        var response = await _client.UpdateItemAsync(
            new UpdateItemRequest
            {
                TableName = _options.TableName,
                Key = _record.Key(key),
                UpdateExpression = Takeover,
                ConditionExpression = Superseded,
                ExpressionAttributeNames = _takeoverNames,
                ExpressionAttributeValues = values,
                ReturnValues = ReturnValue.ALL_NEW,
                ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure.ALL_OLD,
            },
            cancellationToken);
        return response.Attributes;
    }

    private ClaimResult Acquired(IdempotencyClaim claim, Dictionary<string, AttributeValue> written) =>
        claim.Supersedes is null ? ClaimResult.Acquired : ClaimResult.TookOver(_record.DataOf(written));

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

    private async Task<Dictionary<string, AttributeValue>?> FindWrittenAsync(StoreKey key, Guid owner)
    {
        try
        {
            return await GetAsync(key, CancellationToken.None) is { } item && _record.IsClaimOf(item, owner) ? item : null;
        }
        catch (Exception)
        {
            return null; // the write's own failure says more
        }
    }
}
