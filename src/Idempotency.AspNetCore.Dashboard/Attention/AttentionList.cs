using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Finds what needs a person: abandoned claims in the store, and incidents of this process that are still open.</summary>
/// <remarks>
/// Listing may be expensive (DynamoDB scans its table for it), so all viewers share one list. It is made anew at the earliest after ten seconds, and after twenty times as long as it took, unless a
/// viewer asks for it. One that takes too long is not waited for; it goes on, and no second one is begun beside it.
/// </remarks>
internal sealed class AttentionList(IIdempotencyRecords records, PoliciesInForce policies, TimeProvider time, ILogger logger)
{
    private const int MostClaims = 100;

    /// <summary>How long a viewer waits for the store.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>How long the store is asked for the details of each case.</summary>
    private static readonly TimeSpan DetailsTime = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ShortestLife = TimeSpan.FromSeconds(10);
    private const int LivesPerCost = 20;

    private readonly Lock _lock = new();
    private Task<AttentionDocument>? _list;
    private long _begunAt;
    private TimeSpan _cost;

    /// <summary>The list.</summary>
    /// <param name="again">Whether a viewer asks for a new one.</param>
    public async Task<AttentionDocument> GetAsync(bool again)
    {
        Task<AttentionDocument> list;
        lock (_lock)
        {
            if (_list is null || (_list.IsCompleted && (again || time.GetElapsedTime(_begunAt) >= Life)))
            {
                _begunAt = time.GetTimestamp();
                _list = MakeAsync(_begunAt);
            }

            list = _list;
        }

        try
        {
            return await list.WaitAsync(Patience, time);
        }
        catch (TimeoutException)
        {
            return Unknown($"The store has not responded within {Patience.TotalSeconds} seconds.");
        }
    }

    /// <summary>A record was forgotten: the next list is a new one.</summary>
    public void Outdate()
    {
        lock (_lock)
        {
            _list = _list is { IsCompleted: true } ? null : _list;
        }
    }

    private TimeSpan Life => _cost * LivesPerCost is var life && life > ShortestLife ? life : ShortestLife;

    private async Task<AttentionDocument> MakeAsync(long begunAt)
    {
        await Task.Yield(); // a store that does not await must not hold the lock
        try
        {
            return await ListAsync();
        }
        catch (Exception exception)
        {
            DashboardLog.StoreFailed(logger, exception);
            return Unknown("The store is unavailable. The server's log says why.");
        }
        finally
        {
            _cost = time.GetElapsedTime(begunAt);
        }
    }

    private AttentionDocument Unknown(string error) => new(
        time.GetUtcNow(),
        records.CanListAbandoned,
        IsComplete: false,
        error,
        [.. records.ListIncidents().Select(incident => ItemOf(incident))]);

    private async Task<AttentionDocument> ListAsync()
    {
        var (claims, isComplete) = await ListAbandonedAsync();
        var policy = policies.WhenAbandoned();
        var items = new Dictionary<StoreKey, AttentionDocument.Item>();
        using var details = new CancellationTokenSource(DetailsTime, time);
        foreach (var claim in claims.OrderBy(static claim => claim.SinceLeaseEnd))
        {
            var (record, isUnreadable) = await FindAsync(claim.StoreKey, details.Token);
            var secondsAgo = Math.Round(claim.SinceLeaseEnd.TotalSeconds);
            if (isUnreadable)
            {
                items[claim.StoreKey] = new("unreadable", claim.StoreKey.ToString(), secondsAgo, Runbook.Unreadable, claim.Attempt);
            }
            else if (record is null)
            {
                // It could not be read in time, or it is gone since.
                if (details.IsCancellationRequested)
                {
                    items[claim.StoreKey] = new("abandoned", claim.StoreKey.ToString(), secondsAgo, Runbook.ByPolicy, claim.Attempt, AbandonedRules.NameOf(NextAttempt.ByPolicy));
                }
            }
            else if (record.IsAbandoned)
            {
                var next = AbandonedRules.Next(record, policy);
                items[claim.StoreKey] = new(
                    next == NextAttempt.Rejected ? "outcome-unknown" : "abandoned", claim.StoreKey.ToString(), secondsAgo, Runbook.For(next), record.Attempt, AbandonedRules.NameOf(next), RecordedStep.Of(record.Steps));
            }
        }

        foreach (var incident in records.ListIncidents())
        {
            if (await IsOpenAsync(incident, policy, details.Token))
            {
                // An incident says more than that its claim was abandoned.
                items[incident.StoreKey] = ItemOf(incident, items.GetValueOrDefault(incident.StoreKey));
            }
        }

        return new AttentionDocument(time.GetUtcNow(), records.CanListAbandoned, isComplete && !details.IsCancellationRequested, null, [.. items.Values.OrderBy(static item => item.SecondsAgo)]);
    }

    private async Task<(List<AbandonedClaim> Claims, bool IsComplete)> ListAbandonedAsync()
    {
        var claims = new List<AbandonedClaim>();
        if (!records.CanListAbandoned)
        {
            return (claims, false);
        }

        await foreach (var claim in records.ListAbandonedAsync())
        {
            if (claims.Count == MostClaims)
            {
                return (claims, false);
            }

            claims.Add(claim);
        }

        return (claims, true);
    }

    /// <summary>Whether a person still has something to do. A response that was not recorded stays until somebody forgets the record: what a later attempt did must be checked too.</summary>
    private async Task<bool> IsOpenAsync(IdempotencyIncident incident, AbandonedBehavior? policy, CancellationToken cancellationToken)
    {
        if (incident.Kind == IdempotencyIncidentKind.ResponseNotRecorded)
        {
            return true;
        }

        var (record, isUnreadable) = await FindAsync(incident.StoreKey, cancellationToken);
        return cancellationToken.IsCancellationRequested
            || (incident.Kind == IdempotencyIncidentKind.RecordUnreadable ? isUnreadable
                : record is { IsAbandoned: true } && AbandonedRules.Next(record, policy) is NextAttempt.Rejected or NextAttempt.ByPolicy);
    }

    private AttentionDocument.Item ItemOf(IdempotencyIncident incident, AttentionDocument.Item? claim = null)
    {
        var (kind, whatToDo) = incident.Kind switch
        {
            IdempotencyIncidentKind.OutcomeUnknown => ("outcome-unknown", Runbook.OutcomeUnknown),
            IdempotencyIncidentKind.ResponseNotRecorded => ("not-recorded", Runbook.NotRecorded),
            _ => ("unreadable", Runbook.Unreadable),
        };
        var next = incident.Kind == IdempotencyIncidentKind.OutcomeUnknown ? AbandonedRules.NameOf(NextAttempt.Rejected) : claim?.Next;
        return new(kind, incident.StoreKey.ToString(), claim?.SecondsAgo ?? Math.Round((time.GetUtcNow() - incident.LastAt).TotalSeconds), whatToDo, claim?.Attempt, next, claim?.Steps, incident.Count);
    }

    private async Task<(IdempotencyRecordView? Record, bool IsUnreadable)> FindAsync(StoreKey storeKey, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return (null, false);
        }

        try
        {
            return (await records.FindAsync(storeKey, cancellationToken), false);
        }
        catch (IdempotencyRecordUnreadableException)
        {
            return (null, true);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return (null, false);
        }
    }
}
