using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Claiming, completing and releasing: what a record's states mean. Knows nothing of HTTP; the payload is bytes to it.</summary>
internal sealed class ClaimEngine(
    StoreAccess store,
    LocalCache localCache,
    LeaseKeeper leases,
    WaitingRoom waitingRoom,
    Telemetry telemetry,
    TimeProvider time,
    ILogger<ClaimEngine> logger)
{
    // How long the store may take for one claim, and for a write of what has already happened with all its retries.
    private static readonly TimeSpan CallBudget = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    // Between looks at a key that another server owns: nobody here can call us.
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestLook = TimeSpan.FromMilliseconds(250);

    // A store in this very memory has an answer as near as the cache has: there it is cached when it is replayed first, decoded.
    private readonly bool _cachesWhenRecorded = !store.IsInProcess;
    private readonly MonotonicClock _clock = new(time);

    public StoreAccess Store => store;

    public LocalCache LocalCache => localCache;

    /// <summary>What the local cache has for a key: step 1 of a claim, for the caller, who may know a shorter way to go on from it.</summary>
    public CompletedRecord? Recall(Sha256Hash key)
    {
        var isHit = localCache.TryGet(key, out var known);
        telemetry.LookedUp(isHit);
        return known;
    }

    /// <summary>Claims the key, or says why not.</summary>
    /// <remarks>
    /// <para>The order is the rule: 1. a completed record in the local cache (<see cref="Recall"/>); 2. the store's conditional write; and of the record that is in its
    /// way: 3. another fingerprint: reused, whatever its state; 4. completed: its answer; 5. abandoned: taken over, or refused; 6. in progress:
    /// rejected, or waited for.</para>
    /// </remarks>
    /// <param name="key">The stored key.</param>
    /// <param name="fingerprint">What the request is.</param>
    /// <param name="policy">The endpoint's policy.</param>
    /// <param name="known">What <see cref="Recall"/> gave for the key.</param>
    /// <param name="waiting">Ends a wait for somebody else's answer.</param>
    /// <param name="claiming">Ends the claim itself.</param>
    public ValueTask<ClaimDecision> ClaimAsync(Sha256Hash key, Sha256Hash fingerprint, IdempotencyPolicy policy, CompletedRecord? known, CancellationToken waiting, CancellationToken claiming) =>
        known is not null ? ValueTask.FromResult(FromCache(known, fingerprint))
        : Telemetry.Activities.HasListeners() ? TracedClaimAsync(key, fingerprint, policy, waiting, claiming)
        : ClaimFromStoreAsync(key, fingerprint, policy, waiting, claiming);

    private async ValueTask<ClaimDecision> TracedClaimAsync(Sha256Hash key, Sha256Hash fingerprint, IdempotencyPolicy policy, CancellationToken waiting, CancellationToken claiming)
    {
        using var activity = Telemetry.Activities.StartActivity("idempotency.claim");
        var decision = await ClaimFromStoreAsync(key, fingerprint, policy, waiting, claiming);
        Telemetry.End(
            activity,
            key,
            decision.Outcome switch
            {
                ClaimOutcome.Acquired => "acquired",
                ClaimOutcome.Completed => "completed",
                ClaimOutcome.Reused => "reused",
                ClaimOutcome.InProgress => "in-progress",
                ClaimOutcome.OutcomeUnknown => "outcome-unknown",
                ClaimOutcome.Unreadable => "unreadable",
                _ => "store-unavailable",
            },
            decision.Claim?.Attempt,
            isError: decision.Outcome is ClaimOutcome.Unreadable or ClaimOutcome.StoreUnavailable);
        return decision;
    }

    private static ClaimDecision FromCache(CompletedRecord known, Sha256Hash fingerprint) => known.Fingerprint == fingerprint
        ? new ClaimDecision(ClaimOutcome.Completed, Record: known)
        : new ClaimDecision(ClaimOutcome.Reused);

    private async ValueTask<ClaimDecision> ClaimFromStoreAsync(Sha256Hash key, Sha256Hash fingerprint, IdempotencyPolicy policy, CancellationToken waiting, CancellationToken claiming)
    {
        var claim = new IdempotencyClaim
        {
            Owner = AttemptOwner.New(),
            Fingerprint = fingerprint,
            Attempt = 1,
            Lease = policy.ClaimDuration,
            Retention = policy.Retention,
        };
        var giveUpAt = long.MinValue;
        var nextLook = FirstLook;
        WaitingRoom.Ticket? ticket = null;
        var isWaiting = false;
        var unexplained = 0;
        try
        {
            // From the second round on with another look at the cache: an answer may have been recorded here meanwhile.
            for (CompletedRecord? known = null; ; localCache.TryGet(key, out known))
            {
                if (known is not null)
                {
                    return FromCache(known, fingerprint);
                }

                var askedAt = _clock.Now;
                var removals = localCache.Removals;
                var result = await AskAsync(key, claim, claiming);
                if (result.IsAcquired)
                {
                    // A reply that took its time: the lease may be over, and another attempt have the key. Run only what is still ours.
                    if (_clock.Now - askedAt > policy.ClaimDuration.Ticks / 3)
                    {
                        if (await RenewLateAsync(key, claim.Owner, policy, claiming) is not { } renewedFrom)
                        {
                            claim = claim with { Owner = AttemptOwner.New(), Supersedes = null, Attempt = 1 };
                            continue;
                        }

                        askedAt = renewedFrom;
                    }

                    return new ClaimDecision(ClaimOutcome.Acquired, Take(key, claim, policy, askedAt));
                }

                if (result.Existing is not { } existing)
                {
                    // The record that was in the way is gone by now: once more. Over and over, it is the store that is wrong.
                    if (claim.Supersedes is null && ++unexplained == 10)
                    {
                        throw new InvalidOperationException($"The store '{store.Inner.GetType()}' refused a fresh claim without a record that is in its way. Return that record from ClaimAsync.");
                    }

                    claim = claim with { Supersedes = null, Attempt = 1 }; // what we meant to take over is gone
                    continue;
                }

                if (existing.Fingerprint != fingerprint)
                {
                    return new ClaimDecision(ClaimOutcome.Reused);
                }

                if (existing.Status == IdempotencyRecordStatus.Completed)
                {
                    return new ClaimDecision(ClaimOutcome.Completed, Record: Known(existing, askedAt, removals));
                }

                if (existing is { IsAbandoned: true, EffectsStarted: true })
                {
                    return new ClaimDecision(ClaimOutcome.OutcomeUnknown);
                }

                // What we were just refused to take over is alive, whatever the store says of its lease: not asked for twice in a row.
                if (existing.IsAbandoned && claim.Supersedes != existing.Owner)
                {
                    if (policy.WhenAbandoned == AbandonedBehavior.Refuse)
                    {
                        return new ClaimDecision(ClaimOutcome.OutcomeUnknown);
                    }

                    claim = claim with { Supersedes = existing.Owner, Attempt = existing.Attempt + 1 };
                    continue;
                }

                claim = claim with { Supersedes = null, Attempt = 1 };
                if (policy.WhenInProgress == InProgressBehavior.Reject)
                {
                    return new ClaimDecision(ClaimOutcome.InProgress);
                }

                var now = _clock.Now;
                giveUpAt = giveUpAt == long.MinValue ? MonotonicClock.Later(now, policy.WaitTimeout) : giveUpAt;
                if (now >= giveUpAt)
                {
                    return new ClaimDecision(ClaimOutcome.InProgress);
                }

                if (ticket is null)
                {
                    ticket = waitingRoom.Enter(key);
                    continue; // look once more, now that no call can be missed
                }

                isWaiting = true;
                var called = await WaitAsync(ticket, Shorter(nextLook, new TimeSpan(giveUpAt - now)), waiting);
                isWaiting = false;
                nextLook = called ? FirstLook : Shorter(2 * nextLook, LongestLook);
                if (called)
                {
                    waitingRoom.Leave(ticket);
                    ticket = waitingRoom.Enter(key);
                }
            }
        }
        catch (IdempotencyRecordUnreadableException exception)
        {
            Log.RecordUnreadable(logger, key, exception.Message, exception);
            return new ClaimDecision(ClaimOutcome.Unreadable, Error: exception);
        }
        catch (OperationCanceledException) when (isWaiting)
        {
            throw; // our client has left while we waited for somebody else's answer: nothing is claimed
        }
        catch (Exception exception)
        {
            // The claim may have been taken and only its reply lost.
            ReleaseInBackground(key, claim.Owner);
            if (claiming.IsCancellationRequested)
            {
                throw;
            }

            Log.ClaimFailed(logger, key, exception);
            return new ClaimDecision(ClaimOutcome.StoreUnavailable, Error: exception);
        }
        finally
        {
            if (ticket is not null)
            {
                waitingRoom.Leave(ticket);
            }
        }
    }

    /// <summary>Renews a claim before its handler runs: as often as the reply takes longer than what it grants, which tells nothing of now.</summary>
    /// <returns>When the store was asked for what is granted; null when the claim is not ours any more.</returns>
    private async ValueTask<long?> RenewLateAsync(Sha256Hash key, Guid owner, IdempotencyPolicy policy, CancellationToken claiming)
    {
        var giveUpAt = MonotonicClock.Later(_clock.Now, CallBudget);
        long askedAt;
        do
        {
            askedAt = _clock.Now;
            if (askedAt >= giveUpAt)
            {
                throw new TimeoutException("The store takes longer to reply than a claim lasts. Mend the store, or have a longer ClaimDuration.");
            }

            if (!await Within(store.RenewAsync(key, owner, policy.ClaimDuration, policy.Retention, claiming), CallBudget))
            {
                return null;
            }
        }
        while (_clock.Now - askedAt >= policy.ClaimDuration.Ticks);
        return askedAt;
    }

    /// <summary>Begins the transaction in which the handler of a claim runs.</summary>
    /// <param name="claim">The claim, of a policy that asks for one.</param>
    /// <param name="services">The handler's scope.</param>
    /// <returns>False: the database could not be reached. Nothing is done, and the claim is released.</returns>
    /// <exception cref="InvalidOperationException">The scope's unit of work cannot take part, or the store cannot do it at all. The claim is released.</exception>
    public async ValueTask<bool> TryBeginAsync(OwnedClaim claim, IServiceProvider services)
    {
        try
        {
            claim.Transaction = await store.BeginTransactionAsync(services, CancellationToken.None);
        }
        catch (Exception exception)
        {
            await ReleaseAsync(claim);
            if (IsMisuse(exception))
            {
                throw;
            }

            Log.TransactionNotBegun(logger, claim.Key, exception);
            return false;
        }

        if (!claim.Transaction.AllowsOtherWriters)
        {
            LeaseKeeper.Stop(claim); // it could not be renewed, and nobody can take it over either
        }

        return true;
    }

    // A database that is away is also reported as this by some, with its own exception inside.
    private static bool IsMisuse(Exception exception) => exception is InvalidOperationException { InnerException: null };

    /// <summary>Ends the transaction of a run, if there is one: what is not committed is undone.</summary>
    public static async ValueTask RollBackAsync(OwnedClaim claim)
    {
        if (claim.Transaction is { } transaction)
        {
            claim.Transaction = null;
            await transaction.DisposeAsync();
            claim.EffectsStarted |= transaction.WasEndedByHandler; // what of its effects is there nobody knows: it is not run again
        }
    }

    /// <summary>
    /// Records the answer of a claim: in the transaction of its run, which is committed with it; else with retries on a budget of its own, because what has
    /// happened is written down whoever still listens.
    /// </summary>
    public ValueTask<Completion> CompleteAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload) =>
        Telemetry.Activities.HasListeners() ? TracedCompleteAsync(claim, payload) : CompleteClaimAsync(claim, payload);

    private ValueTask<Completion> CompleteClaimAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload) =>
        claim.Transaction is { } transaction ? CommitAsync(claim, transaction, payload) : CompleteInTimeAsync(claim, payload);

    private async ValueTask<Completion> TracedCompleteAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload)
    {
        using var activity = Telemetry.Activities.StartActivity("idempotency.complete");
        var completion = await CompleteClaimAsync(claim, payload);
        Telemetry.End(
            activity,
            claim.Key,
            completion.Outcome switch
            {
                CompletionOutcome.Recorded => "recorded",
                CompletionOutcome.Superseded => "superseded",
                CompletionOutcome.Conflict => "conflict",
                CompletionOutcome.Undone => "undone",
                CompletionOutcome.Unknown => "unknown",
                _ => Telemetry.NotRecorded,
            },
            claim.Attempt,
            isError: completion.Outcome != CompletionOutcome.Recorded);
        return completion;
    }

    private async ValueTask<Completion> CompleteInTimeAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload)
    {
        var askedAt = _clock.Now;
        var removals = localCache.Removals;
        try
        {
            // The straight path first: no timer, no state for retries.
            if (await Within(store.CompleteAsync(claim.Key, claim.Owner, payload, claim.Policy.Retention, CancellationToken.None), CallBudget))
            {
                return Recorded(claim, payload, askedAt, removals);
            }
        }
        catch (Exception exception)
        {
            Log.CompletionRetried(logger, claim.Key, exception);
        }

        return await CompleteAgainAsync(claim, payload, MonotonicClock.Later(askedAt, CallBudget));
    }

    private async ValueTask<Completion> CommitAsync(OwnedClaim claim, IIdempotencyTransaction transaction, ReadOnlyMemory<byte> payload)
    {
        var askedAt = _clock.Now;
        var removals = localCache.Removals;
        var isCommitted = false;
        try
        {
            isCommitted = await transaction.CompleteAsync(claim.Key, claim.Owner, payload, claim.Policy.Retention, CancellationToken.None);
        }
        catch (Exception exception)
        {
            if (transaction.IsConflict(exception))
            {
                await RollBackAsync(claim);
                Log.TransactionConflict(logger, claim.Key, exception);
                return new Completion(CompletionOutcome.Conflict);
            }

            if (exception is InvalidOperationException)
            {
                throw; // the handler's failure: whoever ran it gives the claim up
            }

            Log.CommitFailed(logger, claim.Key, exception);
        }

        await RollBackAsync(claim);
        return isCommitted ? Recorded(claim, payload, askedAt, removals) : await SettleAsync(claim, payload, MonotonicClock.Later(askedAt, CallBudget));
    }

    /// <summary>The transaction of a run is over, and it is not known how: the record tells.</summary>
    /// <remarks>
    /// 1. The claim is given up. When it still was in progress and ours, nothing was committed, nor will be: a commit that is still under way has the
    /// record locked, and the store answers after it. 2. Otherwise the record is ours and completed: committed. 3. Or it is another's: what counts is theirs.
    /// </remarks>
    private async Task<Completion> SettleAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload, long until)
    {
        var pause = FirstPause;
        while (true)
        {
            var askedAt = _clock.Now;
            var removals = localCache.Removals;
            try
            {
                if (await GiveUpAsync(claim))
                {
                    Leave(claim);
                    return new Completion(CompletionOutcome.Undone);
                }

                var existing = await Within(store.ReadAsync(claim.Key, CancellationToken.None), CallBudget);
                if (existing?.Owner == claim.Owner && existing.Status == IdempotencyRecordStatus.Completed)
                {
                    return Recorded(claim, payload, askedAt, removals);
                }

                Lose(claim);
                Leave(claim);
                return existing is null || existing.Fingerprint != claim.Fingerprint ? new Completion(CompletionOutcome.Undone)
                    : existing.Status == IdempotencyRecordStatus.Completed ? new Completion(CompletionOutcome.Superseded, Known(existing, askedAt, removals))
                    : new Completion(CompletionOutcome.Superseded);
            }
            catch (Exception exception)
            {
                Log.CompletionRetried(logger, claim.Key, exception);
            }

            if (_clock.Now >= until)
            {
                Leave(claim);
                return new Completion(CompletionOutcome.Unknown);
            }

            await Task.Delay(pause, time);
            pause = Shorter(2 * pause, LongestPause);
        }
    }

    /// <summary>Lets go of a claim that could not be completed: it is left to its lease. Not before the handler has ended.</summary>
    public void Leave(OwnedClaim claim)
    {
        LeaseKeeper.Stop(claim);
        waitingRoom.Call(claim.Key);
    }

    /// <summary>Frees the key; or, once effects may have begun, gives the claim up as one whose outcome is unknown. Never throws: the exception or answer that brought us here is what the caller must see.</summary>
    public async ValueTask ReleaseAsync(OwnedClaim claim)
    {
        await RollBackAsync(claim); // before anybody else may run
        LeaseKeeper.Stop(claim);
        try
        {
            await GiveUpAsync(claim);
        }
        catch (Exception exception)
        {
            Log.ReleaseFailed(logger, claim.Key, exception);
            if (!claim.EffectsStarted) // a marked claim that is left to its lease comes to the same
            {
                ReleaseInBackground(claim.Key, claim.Owner);
            }
        }

        waitingRoom.Call(claim.Key);
    }

    /// <returns>Whether it was in progress and ours.</returns>
    private ValueTask<bool> GiveUpAsync(OwnedClaim claim)
    {
        if (!claim.EffectsStarted)
        {
            return Within(store.ReleaseAsync(claim.Key, claim.Owner, CancellationToken.None), CallBudget);
        }

        Log.OutcomeUnknown(logger, claim.Key);
        return Within(store.MarkEffectsStartedAsync(claim.Key, claim.Owner, TimeSpan.Zero, claim.Policy.Retention, CancellationToken.None), CallBudget);
    }

    /// <summary>Tells the store that effects may have begun. When it throws they must not.</summary>
    public async Task MarkEffectsStartedAsync(OwnedClaim claim, CancellationToken cancellationToken)
    {
        if (claim.EffectsStarted || claim.IsRecorded) // a response that streams was recorded before its first byte: nothing will run again
        {
            return;
        }

        if (claim.Transaction is { AllowsOtherWriters: false })
        {
            throw new InvalidOperationException("The store cannot be told that effects begin while the transaction of this run holds the only right to write to its database (SQLite). Have effects outside the database in an endpoint or a call of their own with IdempotencyTransaction.Separate, or use a database that takes other writes meanwhile.");
        }

        var leaseUntil = MonotonicClock.Later(_clock.Now, claim.Policy.ClaimDuration);
        bool isOurs;
        try
        {
            isOurs = await Within(store.MarkEffectsStartedAsync(claim.Key, claim.Owner, claim.Policy.ClaimDuration, claim.Policy.Retention, cancellationToken), CallBudget);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // It may have been told and only its reply lost. What releases the claim takes the mark with it.
            throw new IdempotencyStoreUnavailableException("The idempotency store could not be told that effects begin. Do not begin them; let this exception end the run.", exception) { RetryAfter = TimeSpan.FromSeconds(5) };
        }

        if (isOurs)
        {
            claim.LeaseUntil = leaseUntil;
            claim.EffectsStarted = true;
            return;
        }

        Lose(claim);
        throw new IdempotencyClaimLostException("The claim of this run was lost before its effects began: another attempt took it over, or an operator removed it. Do not begin them; let this exception end the run.");
    }

    /// <summary>The claim has turned out to be somebody else's: told once, whoever finds it first.</summary>
    private void Lose(OwnedClaim claim)
    {
        if (claim.MarkLost())
        {
            telemetry.ClaimLost();
            Log.ClaimLost(logger, claim.Key);
        }
    }

    private OwnedClaim Take(Sha256Hash key, in IdempotencyClaim claim, IdempotencyPolicy policy, long askedAt)
    {
        var taken = new OwnedClaim(key, claim.Fingerprint, claim.Owner, claim.Attempt, policy, leaseUntil: MonotonicClock.Later(askedAt, policy.ClaimDuration));
        leases.Start(taken, askedAt);
        if (claim.Supersedes is not null)
        {
            telemetry.TookOver();
            Log.TookOver(logger, key, claim.Attempt);
        }

        return taken;
    }

    // Not cached yet: whoever can read the payload does that, when it turns out to make sense.
    // Its retention counts from before we asked, so that it is never kept here for longer than in the store.
    private static CompletedRecord Known(IdempotencyRecord existing, long askedAt, int removals) =>
        new(existing.Fingerprint, existing.Payload, MonotonicClock.Later(askedAt, existing.RetentionRemaining), removals: removals);

    private Completion Recorded(OwnedClaim claim, ReadOnlyMemory<byte> payload, long askedAt, int removals)
    {
        LeaseKeeper.Stop(claim);
        claim.IsRecorded = true;
        telemetry.Recorded(payload.Length);
        if (_cachesWhenRecorded)
        {
            localCache.Set(claim.Key, new CompletedRecord(claim.Fingerprint, payload, MonotonicClock.Later(askedAt, claim.Policy.Retention), removals: removals));
        }

        waitingRoom.Call(claim.Key);
        return new Completion(CompletionOutcome.Recorded);
    }

    /// <summary>The first try failed, or the claim was not ours any more: find out what is true, within the budget.</summary>
    /// <remarks>
    /// A refused completion means one of: 1. an earlier try of ours went through and its reply was lost: recorded; 2. another attempt
    /// completed: its answer counts; 3. another attempt is running: ours does not count and there is none yet; 4. nobody has the key any more:
    /// we may claim it again, and record; 5. the key belongs to a different request by now (its retention was over): nowhere to record.
    /// </remarks>
    private async Task<Completion> CompleteAgainAsync(OwnedClaim claim, ReadOnlyMemory<byte> payload, long until)
    {
        var pause = FirstPause;
        Exception? last = null;
        while (_clock.Now < Math.Max(until, claim.LeaseUntil)) // while it is ours for certain; a renewal may have prolonged it meanwhile
        {
            var askedAt = _clock.Now;
            var removals = localCache.Removals;
            try
            {
                var left = Shorter(new TimeSpan(Math.Max(until, claim.LeaseUntil) - askedAt), CallBudget);
                if (await Within(store.CompleteAsync(claim.Key, claim.Owner, payload, claim.Policy.Retention, CancellationToken.None), left))
                {
                    return Recorded(claim, payload, askedAt, removals);
                }

                var existing = await Within(store.ReadAsync(claim.Key, CancellationToken.None), left);
                if (existing is null)
                {
                    var again = new IdempotencyClaim
                    {
                        Owner = claim.Owner,
                        Fingerprint = claim.Fingerprint,
                        Attempt = claim.Attempt,
                        Lease = claim.Policy.ClaimDuration,
                        Retention = claim.Policy.Retention,
                    };
                    if ((await Within(store.ClaimAsync(claim.Key, again, CancellationToken.None), left)).IsAcquired)
                    {
                        if (claim.EffectsStarted)
                        {
                            // The mark went with the record. If the completion fails again, nobody may take this claim over either.
                            await Within(store.MarkEffectsStartedAsync(claim.Key, claim.Owner, claim.Policy.ClaimDuration, claim.Policy.Retention, CancellationToken.None), left);
                        }

                        continue;
                    }
                }
                else if (existing.Owner != claim.Owner)
                {
                    Lose(claim);
                    Leave(claim);
                    if (existing.Fingerprint != claim.Fingerprint)
                    {
                        Log.AnswerNotRecorded(logger, claim.Key, null);
                        return new Completion(CompletionOutcome.NotRecorded);
                    }

                    return existing.Status == IdempotencyRecordStatus.Completed
                        ? new Completion(CompletionOutcome.Superseded, Known(existing, askedAt, removals))
                        : new Completion(CompletionOutcome.Superseded);
                }
                else if (existing.Status == IdempotencyRecordStatus.Completed)
                {
                    return Recorded(claim, payload, askedAt, removals);
                }
            }
            catch (Exception exception)
            {
                Log.CompletionRetried(logger, claim.Key, exception);
                last = exception;
            }

            await Task.Delay(pause, time);
            pause = Shorter(2 * pause, LongestPause);
        }

        return NotRecorded(claim, payload, last);
    }

    /// <summary>The store is away: the claim is left to its lease, and until that is over nobody can run the request again; so this process may still replay it.</summary>
    private Completion NotRecorded(OwnedClaim claim, ReadOnlyMemory<byte> payload, Exception? exception)
    {
        Log.AnswerNotRecorded(logger, claim.Key, exception);
        localCache.Set(claim.Key, new CompletedRecord(claim.Fingerprint, payload, claim.LeaseUntil, isRecorded: false, removals: localCache.Removals));
        return new Completion(CompletionOutcome.NotRecorded);
    }

    /// <summary>Frees a key whose claim we may or may not have, on a budget of its own. Only the owner's own claim can be hit by it.</summary>
    private void ReleaseInBackground(Sha256Hash key, Guid owner) => _ = Task.Run(async () =>
    {
        var until = MonotonicClock.Later(_clock.Now, CallBudget);
        var pause = FirstPause;
        while (true)
        {
            try
            {
                await Within(store.ReleaseAsync(key, owner, CancellationToken.None), CallBudget);
                waitingRoom.Call(key);
                return;
            }
            catch (Exception exception)
            {
                if (_clock.Now >= until)
                {
                    Log.ReleaseFailed(logger, key, exception);
                    return;
                }
            }

            await Task.Delay(pause, time);
            pause = Shorter(2 * pause, LongestPause);
        }
    });

    /// <returns>Whether the ticket was called.</returns>
    private async Task<bool> WaitAsync(WaitingRoom.Ticket ticket, TimeSpan longest, CancellationToken waiting)
    {
        try
        {
            await ticket.Called.WaitAsync(longest, time, waiting);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Asks the store for a claim. One that is given up and taken all the same is released when that turns out.</summary>
    private ValueTask<ClaimResult> AskAsync(Sha256Hash key, in IdempotencyClaim claim, CancellationToken claiming)
    {
        var call = store.ClaimAsync(key, claim, claiming);
        return call.IsCompleted ? call : AnsweredAsync(call.AsTask(), key, claim.Owner);
    }

    private async ValueTask<ClaimResult> AnsweredAsync(Task<ClaimResult> asked, Sha256Hash key, Guid owner)
    {
        try
        {
            return await asked.WaitAsync(CallBudget, time, CancellationToken.None); // the store heeds the token, or nobody does
        }
        catch (TimeoutException) when (!asked.IsCompleted)
        {
            ReleaseWhenAnswered(asked, key, owner);
            throw;
        }
    }

    private void ReleaseWhenAnswered(Task<ClaimResult> asked, Sha256Hash key, Guid owner) =>
        _ = asked.ContinueWith(_ => ReleaseInBackground(key, owner), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);

    /// <summary>A store call that is given up after a while, also by stores that do not heed a token. One that is done at once costs nothing.</summary>
    private ValueTask<T> Within<T>(ValueTask<T> call, TimeSpan budget) =>
        call.IsCompleted ? call : new ValueTask<T>(call.AsTask().WaitAsync(budget, time));

    private static TimeSpan Shorter(TimeSpan left, TimeSpan right) => left < right ? left : right;
}
