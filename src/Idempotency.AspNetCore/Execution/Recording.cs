using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Writes the end of a claim into the store, and finds out what is true when the store does not say so at once.</summary>
internal sealed class Recording(StoreCalls store, CompletedRecords completed, DuplicateWaiters waiters, Telemetry telemetry, TimeProvider time, ILogger<Recording> logger)
{
    // A record in this very process is as near as the cache: there it is cached when it is replayed first, decoded.
    private readonly bool _cachesWhenRecorded = !store.IsInProcess;

    /// <summary>Begins the transaction in which a handler runs, on the unit of work that it finds in its scope.</summary>
    public ValueTask<IIdempotencyTransaction> BeginTransactionAsync(IServiceProvider services) => store.BeginTransactionAsync(services);

    /// <summary>Records a response: with the commit of the handler's transaction where there is one, else with retries.</summary>
    public ValueTask<Completion> CompleteAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload) =>
        Telemetry.Activities.HasListeners() ? TracedAsync(claim, payload) : CompleteOrCommitAsync(claim, payload);

    /// <summary>Records that irreversible effects are about to start, and renews the lease.</summary>
    /// <exception cref="IdempotencyClaimLostException">The claim is not ours any more.</exception>
    /// <exception cref="IdempotencyStoreUnavailableException">The store could not be reached.</exception>
    public async ValueTask MarkEffectsStartedAsync(OwnedClaim claim, CancellationToken cancellationToken)
    {
        if (claim.Transaction is { AllowsOtherWriters: false })
        {
            throw new InvalidOperationException("The start of effects cannot be recorded while the transaction of this run holds the only right to write to its database (SQLite). Start effects outside the database in an endpoint or a call of their own with IdempotencyTransaction.Separate, or use a database that accepts other writes meanwhile.");
        }

        var asked = completed.Asking();
        bool isOurs;
        try
        {
            isOurs = await store.MarkEffectsStartedAsync(claim.Key, claim.Owner, claim.Policy.ClaimDuration, claim.Policy.Retention, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The mark may have been written and only the reply lost. What releases the claim takes the mark with it.
            throw new IdempotencyStoreUnavailableException("The idempotency store is unavailable, so the start of effects could not be recorded. Do not start them; let this exception end the run.", exception) { RetryAfter = TimeSpan.FromSeconds(5) };
        }

        if (isOurs)
        {
            claim.Renewed(asked.Plus(claim.Policy.ClaimDuration));
            return;
        }

        Lose(claim);
        throw new IdempotencyClaimLostException("The claim of this run was lost before its effects started: another attempt took it over, or an operator deleted it. Do not start them; let this exception end the run.");
    }

    /// <summary>
    /// Frees the key for the next attempt, which finds the recorded steps; or, once irreversible effects may have started, gives the claim up as one whose outcome is unknown. Never throws: the exception or
    /// response that led here is what the caller must see.
    /// </summary>
    public async ValueTask ReleaseAsync(OwnedClaim claim)
    {
        if (!claim.EndReleased()) // no renewal from here on
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
            // A marked claim that is left to its lease ends in the same state. Another would not: its record may have no steps yet, and look like a run of which nothing is known.
            if (!claim.IsOutcomeUnknown)
            {
                store.ReleaseInBackground(claim.Key, claim.Owner, claim.Policy, claim.Steps?.Correction);
            }
        }

        waiters.Call(claim.Key);
    }

    /// <summary>Leaves a claim whose response could not be recorded to its lease. Not before the handler has ended.</summary>
    public void Leave(OwnedClaim claim)
    {
        claim.EndLeftToLease();
        waiters.Call(claim.Key);
    }

    private ValueTask<Completion> CompleteOrCommitAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload) =>
        claim.Transaction is { } transaction ? CommitAsync(claim, transaction, payload) : CompleteAtOnceAsync(claim, payload);

    // The straight path first: no timer, no state for retries.
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

        // While the lease lasts nobody else can run the request, so the claim is worth that long; the client waits for it.
        var budgetEnd = asked.Plus(StoreCalls.Budget);
        return await CompleteAgainAsync(claim, payload, claim.LeaseUntil > budgetEnd ? claim.LeaseUntil : budgetEnd);
    }

    /// <summary>The first try failed, or the claim was not ours any more: find out what is true.</summary>
    /// <remarks>
    /// A completion that is refused means one of: 1. an earlier try went through and its reply was lost: recorded; 2. another attempt
    /// completed: its response counts; 3. another attempt is running: ours does not count and there is none yet; 4. nobody has the key any more
    /// (another attempt failed, and may have left its steps): claim it again, and record; 5. the key belongs to a different request by now (its retention was over): nowhere to record.
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
                    Log.AnswerNotRecorded(logger, claim.Key, null);
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

    /// <summary>Claims a key that nobody has any more for the owner who had it.</summary>
    private async ValueTask<bool> ClaimAgainAsync(OwnedClaim claim, IdempotencyRecord? released)
    {
        var again = claim.Request.Attempt(claim.Owner, (released?.Attempt + 1) ?? claim.Attempt) with { Supersedes = released?.Owner };
        if (!(await store.ClaimAsync(claim.Key, again, CancellationToken.None)).IsAcquired)
        {
            return false;
        }

        // The mark went with the record. If the completion fails again, nobody may take this claim over either.
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
                throw; // the handler's failure
            }

            Log.CommitFailed(logger, claim.Key, exception);
            failure = exception;
        }

        await claim.RollBackAsync();
        return isCommitted ? Recorded(claim, payload, asked) : await SettleAsync(claim, payload, failure, asked.Plus(StoreCalls.Budget));
    }

    /// <summary>The transaction of a run is over, and it is not known how: the record tells.</summary>
    /// <remarks>
    /// 1. The claim is given up. When it still was in progress and ours, nothing was committed, nor will be: a commit that is still under way has the
    /// record locked, and the store answers after it. 2. Otherwise the record is ours and completed: committed. 3. Or it is another's, whose response counts.
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

                if (existing?.Fingerprint == claim.Request.Fingerprint && existing.Owner != Guid.Empty) // without an owner: we gave it up, and did not hear of it
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
        return await store.MarkEffectsStartedAsync(claim.Key, claim.Owner, TimeSpan.Zero, claim.Policy.Retention, CancellationToken.None);
    }

    // An earlier try went through, and retention counts from then.
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

    /// <summary>The store is away: until the lease is over nobody can run the request again, so this process may still replay the response.</summary>
    private Completion NotRecorded(OwnedClaim claim, ReadOnlyMemory<byte> payload, Exception? exception)
    {
        Log.AnswerNotRecorded(logger, claim.Key, exception);
        completed.Set(claim.Key, new CompletedRecord(claim.Request.Fingerprint, payload, claim.LeaseUntil, isRecorded: false, removals: completed.Removals));
        return new Completion(CompletionOutcome.NotRecorded, Error: exception);
    }

    /// <summary>The claim has turned out to be somebody else's: reported once, whoever finds it first.</summary>
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
