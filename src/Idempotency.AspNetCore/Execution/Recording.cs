using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Writes the end of a claim into the store, and finds out what is true when the store does not say so at once.</summary>
internal sealed class Recording(StoreCalls store, CompletedRecords completed, DuplicateWaiters waiters, Telemetry telemetry, Incidents incidents, TimeProvider time, ILogger<Recording> logger)
{
    // A record in this process is as close as the cache. It is cached, decoded, when it is first replayed.
    private readonly bool _cachesWhenRecorded = !store.IsInProcess;

    /// <summary>Starts the transaction of a handler, on the unit of work of its scope.</summary>
    public ValueTask<IIdempotencyTransaction> BeginTransactionAsync(IServiceProvider services) => store.BeginTransactionAsync(services);

    /// <summary>Records a response: with the commit of the handler's transaction if there is one, otherwise with retries.</summary>
    public ValueTask<Completion> CompleteAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload) =>
        Telemetry.Activities.HasListeners() ? TracedAsync(claim, payload) : CompleteOrCommitAsync(claim, payload);

    /// <summary>Records that irreversible effects are about to start, and renews the lease.</summary>
    /// <exception cref="IdempotencyClaimLostException">The claim is no longer ours.</exception>
    /// <exception cref="IdempotencyStoreUnavailableException">The store is unavailable.</exception>
    public async ValueTask MarkEffectsStartedAsync(OwnedClaim claim, CancellationToken cancellationToken)
    {
        if (claim.Transaction is { AllowsOtherWriters: false })
        {
            throw new InvalidOperationException("The start of effects cannot be recorded while the transaction of this run holds the write lock of its database (SQLite allows one writer at a time). Start effects outside the database in an endpoint or call that uses IdempotencyTransaction.Separate, or use a database that allows concurrent writers.");
        }

        var asked = completed.Asking();
        bool isOurs;
        try
        {
            isOurs = await store.MarkEffectsStartedAsync(claim.Key, claim.Owner, claim.Policy.ClaimDuration, claim.Policy.Retention, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The mark may have been written although the response was lost. Releasing the claim removes the mark too.
            throw new IdempotencyStoreUnavailableException("The idempotency store is unavailable, so the start of effects could not be recorded. Do not start them. Let this exception end the run.", exception) { RetryAfter = TimeSpan.FromSeconds(5) };
        }

        if (isOurs)
        {
            claim.Renewed(asked.Plus(claim.Policy.ClaimDuration));
            return;
        }

        Lose(claim);
        throw new IdempotencyClaimLostException("The claim of this run was lost before its effects started: another attempt took it over, or an operator deleted it. Do not start them. Let this exception end the run.");
    }

    /// <summary>
    /// Releases the claim for the next attempt, which gets the recorded steps; or, if irreversible effects may have started, ends it as one whose outcome is unknown. Never throws: the caller must see the exception or
    /// response that led here.
    /// </summary>
    public async ValueTask ReleaseAsync(OwnedClaim claim)
    {
        if (!claim.EndReleased()) // no renewals from here on
        {
            return;
        }

        try
        {
            await GiveUpAsync(claim);
        }
        catch (Exception exception)
        {
            Log.ReleaseFailed(logger, claim.Key, exception);
            // A marked claim that is left to its lease ends in the same state. Any other claim does not: its record may have no steps yet, and would look like a run of which nothing is known.
            if (!claim.IsOutcomeUnknown)
            {
                store.ReleaseInBackground(claim.Key, claim.Owner, claim.Policy, claim.Steps?.Correction);
            }
        }

        waiters.Call(claim.Key);
    }

    /// <summary>Leaves a claim whose response could not be recorded to its lease. Call it only after the handler has ended.</summary>
    public void Leave(OwnedClaim claim)
    {
        claim.EndLeftToLease();
        waiters.Call(claim.Key);
    }

    private ValueTask<Completion> CompleteOrCommitAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload) =>
        claim.Transaction is { } transaction ? CommitAsync(claim, transaction, payload) : CompleteAtOnceAsync(claim, payload);

    // The fast path: no timer, no state for retries.
    private async ValueTask<Completion> CompleteAtOnceAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload)
    {
        var asked = completed.Asking();
        try
        {
            if (await store.CompleteAsync(claim.Key, claim.Owner, payload, claim.Policy.Retention))
            {
                return Recorded(claim, payload, asked);
            }
        }
        catch (Exception exception)
        {
            Log.CompletionRetried(logger, claim.Key, exception);
        }

        // Nobody else can run the request during the lease, so the whole lease can be used for retries while the client waits.
        var budgetEnd = asked.Plus(StoreCalls.Budget);
        return await CompleteAgainAsync(claim, payload, claim.LeaseUntil > budgetEnd ? claim.LeaseUntil : budgetEnd);
    }

    /// <summary>Finds out the actual state after the first attempt failed, or found that the claim was no longer ours.</summary>
    /// <remarks>
    /// A rejected completion means one of the following: 1. an earlier call succeeded and its response was lost: recorded; 2. another attempt
    /// completed: its response counts; 3. another attempt is running: ours does not count, and there is no response yet; 4. nobody has the key
    /// (another attempt failed and may have left its steps): claim it again, and record; 5. the key now belongs to a different request (the retention had ended): it cannot be recorded.
    /// </remarks>
    private async Task<Completion> CompleteAgainAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload, long until)
    {
        var tries = new Backoff(time, until);
        Exception? last = null;
        do
        {
            var asked = completed.Asking();
            try
            {
                if (await store.CompleteAsync(claim.Key, claim.Owner, payload, claim.Policy.Retention))
                {
                    return Recorded(claim, payload, asked);
                }

                var existing = await store.ReadAsync(claim.Key, CancellationToken.None);
                if (existing is null || existing.Owner == Guid.Empty && existing.Fingerprint == claim.Request.Fingerprint)
                {
                    if (await ClaimAgainAsync(claim, existing) && await store.CompleteAsync(claim.Key, claim.Owner, payload, claim.Policy.Retention))
                    {
                        return Recorded(claim, payload, asked);
                    }
                }
                else if (existing.Owner == claim.Owner)
                {
                    if (existing.Status == IdempotencyRecordStatus.Completed)
                    {
                        return RecordedEarlier(claim, payload, existing, asked);
                    }
                }
                else if (existing.Fingerprint == claim.Request.Fingerprint)
                {
                    return Superseded(claim, existing, asked);
                }
                else
                {
                    Lose(claim);
                    incidents.ResponseNotRecorded(logger, claim.Key);
                    return new Completion(CompletionOutcome.NotRecorded);
                }
            }
            catch (Exception exception)
            {
                Log.CompletionRetried(logger, claim.Key, exception);
                last = exception;
            }
        }
        while (await tries.NextAsync());
        return NotRecorded(claim, payload, last);
    }

    /// <summary>Claims a released key again for its former owner.</summary>
    private async ValueTask<bool> ClaimAgainAsync(OwnedClaim claim, IdempotencyRecord? released)
    {
        var again = claim.Request.Attempt(claim.Owner, (released?.Attempt + 1) ?? claim.Attempt) with { Supersedes = released?.Owner };
        if (!(await store.ClaimAsync(claim.Key, again, CancellationToken.None)).IsAcquired)
        {
            return false;
        }

        // The mark was removed with the record. If the completion fails again, nobody may take over this claim either.
        return !claim.IsOutcomeUnknown || await store.MarkEffectsStartedAsync(claim.Key, claim.Owner, claim.Policy.ClaimDuration, claim.Policy.Retention, CancellationToken.None);
    }

    private async ValueTask<Completion> CommitAsync(OwnedClaim claim, IIdempotencyTransaction transaction, ReadOnlyMemory<byte> payload)
    {
        var asked = completed.Asking();
        var isCommitted = false;
        Exception? failure = null;
        try
        {
            isCommitted = await store.CommitAsync(transaction, claim.Key, claim.Owner, payload, claim.Policy.Retention);
        }
        catch (Exception exception)
        {
            if (transaction.IsConflict(exception))
            {
                await claim.RollBackAsync();
                Log.TransactionConflict(logger, claim.Key, exception);
                return new Completion(CompletionOutcome.Conflict, Error: exception);
            }

            if (exception is InvalidOperationException)
            {
                throw; // the exception of the handler
            }

            Log.CommitFailed(logger, claim.Key, exception);
            failure = exception;
        }

        await claim.RollBackAsync();
        return isCommitted ? Recorded(claim, payload, asked) : await SettleAsync(claim, payload, failure, asked.Plus(StoreCalls.Budget));
    }

    /// <summary>Finds out from the record how the transaction of a run ended.</summary>
    /// <remarks>
    /// 1. The claim is released. If it was still in progress and ours, nothing was committed or will be: a commit that is still running has the
    /// record locked, and the store responds after it. 2. Otherwise the record is ours and completed: committed. 3. Or it belongs to another attempt, whose response counts.
    /// </remarks>
    private async Task<Completion> SettleAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload, Exception? failure, long until)
    {
        var tries = new Backoff(time, until);
        do
        {
            var asked = completed.Asking();
            try
            {
                if (await GiveUpAsync(claim))
                {
                    claim.EndReleased();
                    waiters.Call(claim.Key);
                    return new Completion(CompletionOutcome.Undone, Error: failure);
                }

                var existing = await store.ReadAsync(claim.Key, CancellationToken.None);
                if (existing?.Owner == claim.Owner && existing.Status == IdempotencyRecordStatus.Completed)
                {
                    return RecordedEarlier(claim, payload, existing, asked);
                }

                if (existing?.Fingerprint == claim.Request.Fingerprint && existing.Owner != Guid.Empty) // without an owner: we released it, and did not get the response
                {
                    return Superseded(claim, existing, asked);
                }

                Lose(claim);
                return new Completion(CompletionOutcome.Undone, Error: failure);
            }
            catch (Exception exception)
            {
                Log.CompletionRetried(logger, claim.Key, exception);
            }
        }
        while (await tries.NextAsync());
        Leave(claim);
        return new Completion(CompletionOutcome.Unknown, Error: failure);
    }

    /// <returns>Whether it was in progress and ours.</returns>
    private async ValueTask<bool> GiveUpAsync(OwnedClaim claim)
    {
        if (!claim.IsOutcomeUnknown)
        {
            return (claim.Steps?.Correction is not { } steps || await store.SaveStepsAsync(claim.Key, claim.Owner, steps, claim.Policy, CancellationToken.None))
                && await store.ReleaseAsync(claim.Key, claim.Owner);
        }

        Log.OutcomeUnknown(logger, claim.Key);
        incidents.Add(IdempotencyIncidentKind.OutcomeUnknown, claim.Key);
        return await store.MarkEffectsStartedAsync(claim.Key, claim.Owner, TimeSpan.Zero, claim.Policy.Retention, CancellationToken.None);
    }

    // An earlier call succeeded, and the retention counts from then.
    private Completion RecordedEarlier(OwnedClaim claim, ReadOnlyMemory<byte> payload, IdempotencyRecord existing, AskedAt asked) => Recorded(claim, payload, asked, existing.RetentionRemaining);

    private Completion Recorded(OwnedClaim claim, ReadOnlyMemory<byte> payload, AskedAt asked) => Recorded(claim, payload, asked, claim.Policy.Retention);

    private Completion Recorded(OwnedClaim claim, ReadOnlyMemory<byte> payload, AskedAt asked, TimeSpan retention)
    {
        claim.EndCompleted();
        telemetry.Recorded(payload.Length);
        if (_cachesWhenRecorded)
        {
            completed.Set(claim.Key, new CompletedRecord(claim.Request.Fingerprint, payload, asked.Plus(retention), removals: asked.Removals));
        }

        waiters.Call(claim.Key);
        return new Completion(CompletionOutcome.Recorded);
    }

    private Completion Superseded(OwnedClaim claim, IdempotencyRecord existing, AskedAt asked)
    {
        Lose(claim);
        return new Completion(CompletionOutcome.Superseded, existing.Status == IdempotencyRecordStatus.Completed ? CompletedRecord.Of(existing, asked) : null);
    }

    /// <summary>
    /// Called when the store is unavailable: nobody can run the request again before the lease ends, so this process can still replay the response. Not if the claim is lost or an operator has deleted its record: another run's
    /// response may count.
    /// </summary>
    private Completion NotRecorded(OwnedClaim claim, ReadOnlyMemory<byte> payload, Exception? exception)
    {
        incidents.ResponseNotRecorded(logger, claim.Key, exception);
        var removals = completed.Removals; // before the claim is asked: the cache then rejects the response if the record is deleted in between
        if (!claim.HasEnded && !claim.WasDeleted)
        {
            completed.Set(claim.Key, new CompletedRecord(claim.Request.Fingerprint, payload, claim.LeaseUntil, isRecorded: false, removals: removals));
        }

        return new Completion(CompletionOutcome.NotRecorded, Error: exception);
    }

    /// <summary>Called when the claim belongs to another owner. It is reported once.</summary>
    public void Lose(OwnedClaim claim)
    {
        if (claim.EndLost())
        {
            telemetry.ClaimLost();
            Log.ClaimLost(logger, claim.Key);
        }

        waiters.Call(claim.Key);
    }

    private async ValueTask<Completion> TracedAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload)
    {
        using var activity = Telemetry.Activities.StartActivity("idempotency.complete");
        try
        {
            var completion = await CompleteOrCommitAsync(claim, payload);
            if (completion.Outcome == CompletionOutcome.Recorded)
            {
                Telemetry.End(activity, claim.Key, Telemetry.Executed, claim.Attempt);
            }
            else
            {
                var outcome = completion.Outcome == CompletionOutcome.Superseded
                    ? IdempotencyClaimLostException.LostCode
                    : (completion with { EffectsStarted = claim.IsOutcomeUnknown }).Problem?.Code ?? Telemetry.NotRecorded;
                Telemetry.EndFailed(activity, claim.Key, outcome, claim.Attempt, completion.Error);
            }

            return completion;
        }
        catch (Exception exception) // the handler's, from its unit of work
        {
            Telemetry.EndFailed(activity, claim.Key, Telemetry.Failed, claim.Attempt, exception);
            throw;
        }
    }
}
