using System.Runtime.CompilerServices;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Stores records in Amazon DynamoDB, one item per key. The README of the package describes the table, the required permissions and the cost of a request.</summary>
/// <remarks>
/// <para>A claim is one conditional <c>PutItem</c>, which returns the existing item with the same call
/// (<c>ReturnValuesOnConditionCheckFailure=ALL_OLD</c>). A takeover is one conditional <c>UpdateItem</c>, which leaves the steps in the item and returns them.
/// Completing, renewing, saving steps and releasing have the condition
/// <c>owner = :me AND status = INPROGRESS</c>. Reads are strongly consistent.</para>
/// <para>Time is the clock of this server, because DynamoDB does not provide one. A lease counts as ended only <see cref="DynamoDBIdempotencyStoreOptions.ClockSkewTolerance"/>
/// after its end. Time to live only removes old items; whether a record is gone is decided by its time in milliseconds.</para>
/// <para>The SDK retries throttled calls and lost connections; errors after that are thrown.</para>
/// </remarks>
public sealed class DynamoDBIdempotencyStore : IIdempotencyStore, IAbandonedClaimSource, IDisposable
{
    // Free if: 1. there is no item; 2. it is gone: its expiry has passed (to the millisecond, or to the second if another library wrote
    // it) and, if it is in progress, so has its lease. To supersede, 3. exactly that owner's claim must exist, for the previous attempt of the same request, and its lease must have ended.
    private const string Free = "attribute_not_exists(#id) OR ((#exact <= :now OR (attribute_not_exists(#exact) AND #expiry <= :seconds)) "
        + "AND (#status <> :inprogress OR attribute_not_exists(#lease) OR #lease <= :lapsed))";
    private const string Superseded = "#status = :inprogress AND #owner = :superseded AND #attempt = :previous AND #validation = :validation AND #lease <= :lapsed AND attribute_not_exists(#effects)";
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
    /// <param name="options">The options of the store.</param>
    /// <param name="services">Provides the application's <see cref="IAmazonDynamoDB"/>.</param>
    /// <param name="timeProvider">The clock of this server.</param>
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
            // Parsed as of the time of the condition; the item may be gone by now.
            // If our own claim is in the way, it is from the first attempt of this call, whose response the SDK did not receive.
            return _record.IsClaimOf(failed.Item, claim.Owner) ? Acquired(claim, failed.Item) : ClaimResult.Held(_record.Parse(failed.Item, now));
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The response may have been lost and the item written, so it is read. If that fails too, the exception is thrown.
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
            // It has these steps, or later ones; also if this is the SDK's second attempt, and the response to the first was lost.
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
    /// <remarks>Scans the whole table, page by page, which DynamoDB charges for. Use it for occasional inspection, not for a dashboard.</remarks>
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

    /// <summary>Disposes of the client, if the store created it.</summary>
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

    /// <returns>The item, with its steps.</returns>
    private async Task<Dictionary<string, AttributeValue>> TakeOverAsync(StoreKey key, IdempotencyClaim claim, Guid superseded, long now, CancellationToken cancellationToken)
    {
        var lease = now + DynamoDBRecord.Milliseconds(claim.Lease);
        var values = new Dictionary<string, AttributeValue>(10)
        {
            [":inprogress"] = DynamoDBRecord.InProgress,
            [":lapsed"] = _record.Lapsed(now),
            [":superseded"] = DynamoDBRecord.Owner(superseded),
            [":previous"] = DynamoDBRecord.Number(claim.Attempt - 1),
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
            return null; // the exception of the write is more useful
        }
    }
}
