using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Claims keys: first the local cache, then the store's conditional write, then the rules of <see cref="ClaimTable"/>.</summary>
internal sealed class Claims(
    StoreCalls store,
    CompletedRecords completed,
    LeaseKeeper leases,
    DuplicateWaiters waiters,
    Recording recording,
    StepRecording stepRecording,
    Telemetry telemetry,
    Incidents incidents,
    TimeProvider time,
    ILogger<Claims> logger)
{
    // More responses than a working store can give in a row to a new claim without returning the existing record.
    private const int MostUnexplainedReplies = 10;

    /// <summary>The completed record of a key in the local cache. Step 1 of a claim, for callers that may have a shorter path from it.</summary>
    public CompletedRecord? Recall(StoreKey key)
    {
        var isHit = completed.TryGet(key, out var known);
        telemetry.LookedUp(isHit);
        return known;
    }

    /// <summary>Claims the key, or returns the reason why it is not available.</summary>
    /// <param name="request">The claim.</param>
    /// <param name="known">The result of <see cref="Recall"/> for the key.</param>
    /// <param name="waiting">Cancels the wait for the first request.</param>
    /// <param name="claiming">Cancels the claim itself.</param>
    public ValueTask<ClaimDecision> ClaimAsync(ClaimRequest request, CompletedRecord? known, CancellationToken waiting, CancellationToken claiming) =>
        known is not null ? ValueTask.FromResult(ClaimDecision.Of(known, request.Fingerprint))
        : Telemetry.Activities.HasListeners() ? TracedAsync(request, waiting, claiming)
        : AskStoreAsync(request, waiting, claiming);

    private async ValueTask<ClaimDecision> AskStoreAsync(ClaimRequest request, CancellationToken waiting, CancellationToken claiming)
    {
        var claim = request.FirstAttempt();
        var unexplained = 0;
        DuplicateWait? wait = null;
        try
        {
            while (true)
            {
                var asked = completed.Asking();
                var reply = await store.ClaimAsync(request.Key, claim, claiming);
                switch (ClaimTable.Next(reply, claim, request.Policy))
                {
                    case ClaimAction.Run when await ConfirmAsync(request, claim.Owner, asked.Ticks, claiming) is { } leasedAt:
                        return new ClaimDecision(ClaimOutcome.Acquired, Own(request, claim, leasedAt, reply.Steps));
                    case ClaimAction.Run: // another attempt has it by now
                        claim = request.FirstAttempt();
                        break;
                    case ClaimAction.Replay:
                        return new ClaimDecision(ClaimOutcome.Completed, Record: CompletedRecord.Of(reply.Existing!, asked));
                    case ClaimAction.RejectReused:
                        return new ClaimDecision(ClaimOutcome.Reused);
                    case ClaimAction.RejectOutcomeUnknown:
                        incidents.Add(IdempotencyIncidentKind.OutcomeUnknown, request.Key);
                        return new ClaimDecision(ClaimOutcome.OutcomeUnknown);
                    case ClaimAction.RejectInProgress:
                        return new ClaimDecision(ClaimOutcome.InProgress);
                    case ClaimAction.Wait when !await (wait ??= new DuplicateWait(waiters, request, time)).NextAsync(waiting):
                        return new ClaimDecision(ClaimOutcome.InProgress);
                    case ClaimAction.TakeOver when StepLog.Decode(reply.Existing!.Payload, out _, out var reason) is null:
                        throw new IdempotencyRecordUnreadableException(reason);
                    case ClaimAction.TakeOver:
                        claim = claim with { Supersedes = reply.Existing!.Owner, Attempt = reply.Existing.Attempt + 1 };
                        continue;
                    case ClaimAction.AskAgain when claim.Supersedes is null && ++unexplained == MostUnexplainedReplies:
                        throw new InvalidOperationException($"The store '{store.Inner.GetType()}' rejected a new claim without returning the existing record. Return that record from ClaimAsync.");
                }

                claim = claim with { Supersedes = null, Attempt = 1 };
                if (completed.TryGet(request.Key, out var recorded)) // here, while the store was asked or while we waited
                {
                    return ClaimDecision.Of(recorded, request.Fingerprint);
                }
            }
        }
        catch (IdempotencyRecordUnreadableException exception)
        {
            incidents.RecordUnreadable(logger, request.Key, exception.Message, exception);
            return new ClaimDecision(ClaimOutcome.Unreadable, Error: exception);
        }
        catch (OperationCanceledException) when (wait is { IsWaiting: true })
        {
            throw; // our client has left, and nothing is claimed
        }
        catch (Exception exception)
        {
            store.ReleaseInBackground(request.Key, claim.Owner, request.Policy); // the claim may have been taken and only its reply lost
            if (claiming.IsCancellationRequested)
            {
                throw;
            }

            Log.ClaimFailed(logger, request.Key, exception);
            return new ClaimDecision(ClaimOutcome.StoreUnavailable, Error: exception);
        }
        finally
        {
            wait?.Dispose();
        }
    }

    /// <summary>Makes sure that a claim is ours now, and not only when the store responded: a slow response proves little.</summary>
    /// <returns>The start of the lease; null if the claim is no longer ours.</returns>
    private ValueTask<long?> ConfirmAsync(ClaimRequest request, Guid owner, long askedAt, CancellationToken claiming) =>
        time.Ticks() - askedAt <= request.Policy.ClaimDuration.Ticks / 3 ? new(askedAt) : store.ConfirmAsync(request.Key, owner, request.Policy, claiming);

    private OwnedClaim Own(ClaimRequest request, in IdempotencyClaim claim, long leasedAt, ReadOnlyMemory<byte> steps)
    {
        var owned = new OwnedClaim(request, claim.Owner, claim.Attempt, leasedAt, recording, stepRecording);
        owned.TakeOver(steps); // or the claim is left to its lease, with the steps that cannot be read
        leases.Keep(owned, leasedAt);
        if (claim.Supersedes is { } abandoned && abandoned != Guid.Empty) // without an owner: the attempt before was released, with its steps
        {
            telemetry.TookOver();
            Log.TookOver(logger, request.Key, claim.Attempt);
        }

        return owned;
    }

    private async ValueTask<ClaimDecision> TracedAsync(ClaimRequest request, CancellationToken waiting, CancellationToken claiming)
    {
        using var activity = Telemetry.Activities.StartActivity("idempotency.claim");
        try
        {
            var decision = await AskStoreAsync(request, waiting, claiming);
            if (decision.Outcome is ClaimOutcome.Unreadable or ClaimOutcome.StoreUnavailable)
            {
                Telemetry.EndFailed(activity, request.Key, decision.Problem!.Code, attempt: null, decision.Error);
            }
            else
            {
                var outcome = decision.Problem?.Code ?? (decision.Outcome == ClaimOutcome.Acquired ? Telemetry.Acquired : Telemetry.Replayed);
                Telemetry.End(activity, request.Key, outcome, decision.Claim?.Attempt);
            }

            return decision;
        }
        catch (OperationCanceledException)
        {
            Telemetry.End(activity, request.Key, Telemetry.Canceled, attempt: null); // whoever asked has left: no failure of ours or of the store
            throw;
        }
        catch (Exception exception)
        {
            Telemetry.EndFailed(activity, request.Key, Telemetry.Failed, attempt: null, exception);
            throw;
        }
    }
}
