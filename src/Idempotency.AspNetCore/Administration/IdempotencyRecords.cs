namespace Idempotency.AspNetCore;

internal sealed class IdempotencyRecords(StoreCalls store, CompletedRecords completed, LeaseKeeper leases, Incidents incidents, TimeProvider time) : IIdempotencyRecords
{
    public bool CanListAbandoned => store.Inner is IAbandonedClaimSource;

    public StoreKey StoreKeyOf(IdempotencyRecordQuery request)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentException.ThrowIfNullOrEmpty(request.Method);
        ArgumentException.ThrowIfNullOrEmpty(request.Path);
        return IdempotencyKey.TryParse(request.Key, out var key, out var error)
            ? RequestIdentity.StoreKeyOf(request, key)
            : throw new ArgumentException($"The key is not a valid idempotency key. {error}", nameof(request));
    }

    public async Task<IdempotencyRecordView?> FindAsync(StoreKey storeKey, CancellationToken cancellationToken)
    {
        if (await store.ReadAsync(storeKey, cancellationToken) is not { } record)
        {
            return null;
        }

        var isCompleted = record.Status == IdempotencyRecordStatus.Completed;
        StoredResponse? response = null;
        if (isCompleted && (response = StoredResponse.Decode(record.Payload, out var reason)) is null && StoredResult.Decode(record.Payload, out _) is null)
        {
            throw new IdempotencyRecordUnreadableException(reason);
        }

        IReadOnlyList<Step>? steps = [];
        if (!isCompleted && (steps = StepLog.Decode(record.Payload, out _, out var unreadable)) is null)
        {
            throw new IdempotencyRecordUnreadableException(unreadable);
        }

        return new IdempotencyRecordView
        {
            StoreKey = storeKey,
            Status = record.Status,
            IsAbandoned = record.IsAbandoned,
            Attempt = record.Attempt,
            EffectsStarted = !isCompleted && record.EffectsStarted,
            LeaseRemaining = isCompleted ? null : record.LeaseRemaining,
            RetentionRemaining = isCompleted ? record.RetentionRemaining : null,
            Steps = [.. steps.Select(static step => new IdempotencyStepView(step.Name, step.State, step.Attempt, step.At))],
            ResponseStatus = response?.Status,
            ResponseHeaders = response is null ? [] : [.. response.Headers.Where(static header => header.Values.Count > 0).Select(static header => header.Name)],
            ResponseBodySize = response is { IsBodyKept: true } ? response.Body.Length : null,
        };
    }

    public async Task<bool> ForgetAsync(StoreKey storeKey, CancellationToken cancellationToken)
    {
        var wasThere = await store.DeleteAsync(storeKey, cancellationToken);
        leases.Deleted(storeKey); // before the cache, see Recording
        completed.Remove(storeKey); // after the store: who asks that from now on finds nothing, and what was asked for before is not cached any more
        incidents.Remove(storeKey);
        return wasThere;
    }

    public IAsyncEnumerable<AbandonedClaim> ListAbandonedAsync(CancellationToken cancellationToken) => store.Inner is IAbandonedClaimSource source
        ? source.ListAbandonedAsync(cancellationToken)
        : throw new NotSupportedException($"The store '{store.Inner.GetType()}' cannot list abandoned claims. Implement {nameof(IAbandonedClaimSource)} on it.");

    public IReadOnlyList<RunningClaim> ListRunning()
    {
        var now = time.Ticks();
        return [.. leases.List().OrderBy(static claim => claim.ClaimedAt).Select(claim =>
            new RunningClaim(claim.Key, claim.Attempt, new TimeSpan(now - claim.ClaimedAt), claim.Policy.ClaimDuration, new TimeSpan(claim.LeaseUntil - now)))];
    }

    public IReadOnlyList<IdempotencyIncident> ListIncidents() => incidents.List();
}
