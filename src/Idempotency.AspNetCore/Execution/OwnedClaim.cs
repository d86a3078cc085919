namespace Idempotency.AspNetCore;

/// <summary>A claim that this process owns. It ends exactly once: completed, released, left to its lease, or lost.</summary>
/// <remarks>
/// Dispose of it when the work is over, regardless of how the work ended. A claim that has not ended is then released, so that the request can run again; or,
/// if its response could not be recorded, it is left to its lease, so that the work does not run again immediately.
/// </remarks>
internal sealed class OwnedClaim(ClaimRequest request, Guid owner, int attempt, long leasedAt, Recording recording, StepRecording stepRecording) : IAsyncDisposable
{
    /// <summary>Its position in the lease keeper's queue, which only the lease keeper changes. It is stored here so that adding a claim allocates nothing.</summary>
    internal LeaseKeeper.Place Place;

    private int _end;
    private volatile bool _wasDeleted;
    private bool _hasResponse;
    private int _marking;
    private RunSteps? _steps;

    // Created when the token is read, which few handlers do.
    private CancellationTokenSource? _lost;

    private enum End
    {
        None,
        Completed,
        Released,
        LeftToLease,
        Lost,
    }

    public ClaimRequest Request { get; } = request;

    public StoreKey Key => Request.Key;

    public IdempotencyPolicy Policy => Request.Policy;

    public Guid Owner { get; } = owner;

    public int Attempt { get; } = attempt;

    /// <summary>When it was claimed, in ticks of this process's clock.</summary>
    public long ClaimedAt { get; } = leasedAt;

    /// <summary>Until when nobody else can take it over, in ticks of this process's clock: counted from before the store was asked, so never too long.</summary>
    public long LeaseUntil { get; private set; } = MonotonicTime.After(leasedAt, request.Policy.ClaimDuration);

    /// <summary>Whether irreversible effects may have started, so that no other attempt ever runs.</summary>
    public bool EffectsStarted { get; private set; }

    /// <summary>The same, including effects that are being marked at the moment.</summary>
    public bool EffectsMayHaveStarted => EffectsStarted || Volatile.Read(ref _marking) > 0;

    /// <summary>Whether it has ended, in any way.</summary>
    public bool HasEnded => Volatile.Read(ref _end) != (int)End.None;

    /// <summary>Its steps; null if no attempt has used any.</summary>
    public RunSteps? Steps => Volatile.Read(ref _steps);

    /// <summary>Whether no other attempt may follow if this one ends without a response: irreversible effects may have started, or a step has started that must not run twice.</summary>
    public bool IsOutcomeUnknown => EffectsStarted || Steps?.IsAnyUnknown == true;

    /// <summary>The transaction of its handler; null if there is none or it has ended.</summary>
    public IIdempotencyTransaction? Transaction { get; private set; }

    /// <summary>Whether its response is recorded. Its handler may still be running.</summary>
    public bool IsCompleted => Volatile.Read(ref _end) == (int)End.Completed;

    /// <summary>Is canceled when the claim is known to belong to another owner.</summary>
    public CancellationToken Lost
    {
        get
        {
            var source = LazyInitializer.EnsureInitialized(ref _lost, static () => new CancellationTokenSource());
            Interlocked.MemoryBarrier(); // otherwise the claim could be lost between these two lines without the source being seen
            if (Volatile.Read(ref _end) == (int)End.Lost)
            {
                source.Cancel();
            }

            return source.Token;
        }
    }

    /// <summary>Whether an operator has deleted its record through this server. Another request may then have run with its key.</summary>
    public bool WasDeleted => _wasDeleted;

    /// <summary>Called after an operator has deleted its record.</summary>
    public void Deleted() => _wasDeleted = true;

    /// <summary>Starts the transaction of its handler.</summary>
    /// <param name="services">The scope of the handler.</param>
    /// <exception cref="InvalidOperationException">The scope's unit of work cannot take part, or the store does not support it.</exception>
    public async ValueTask BeginTransactionAsync(IServiceProvider services)
    {
        Transaction = await recording.BeginTransactionAsync(services);
        if (!Transaction.AllowsOtherWriters)
        {
            LeaseKeeper.Forget(this); // it cannot be renewed during the transaction, and nobody can take it over either
        }
    }

    /// <summary>Ends the transaction, if there is one, and rolls back uncommitted changes.</summary>
    public async ValueTask RollBackAsync()
    {
        if (Transaction is { } transaction)
        {
            Transaction = null;
            await transaction.DisposeAsync();
            EffectsStarted |= transaction.WasEndedByHandler; // some effects may be committed, so it is not run again
        }
    }

    /// <summary>
    /// Records the response: in the handler's transaction, which it commits, or with retries. A further call after a failure tries again; a recorded response stays recorded.
    /// </summary>
    public ValueTask<Completion> CompleteAsync(ReadOnlyMemory<byte> payload)
    {
        _hasResponse = Transaction is null;
        return IsCompleted ? new(new Completion(CompletionOutcome.Recorded)) : recording.CompleteAsync(this, payload);
    }

    /// <summary>Records that irreversible effects are about to start. If it throws, they must not start.</summary>
    public async Task MarkEffectsStartedAsync(CancellationToken cancellationToken)
    {
        if (EffectsStarted || IsCompleted) // a streamed response was recorded before its first byte, so nothing will run again
        {
            return;
        }

        Interlocked.Increment(ref _marking); // before the call, so that steps that are saved in the meantime do not remove the mark
        try
        {
            await (Steps is { } steps ? steps.MarkEffectsStartedAsync(cancellationToken) : recording.MarkEffectsStartedAsync(this, cancellationToken));
            EffectsStarted = true;
        }
        finally
        {
            Interlocked.Decrement(ref _marking);
        }
    }

    /// <summary>Runs a step of the run, or returns its recorded result.</summary>
    public Task<T> RunStepAsync<T>(string name, Func<CancellationToken, Task<T>> work, ResultFormat<T> format, StepOptions? options, CancellationToken cancellationToken) =>
        LazyInitializer.EnsureInitialized(ref _steps, () => new RunSteps(this, stepRecording, [], 0)).RunAsync(name, work, format, options, cancellationToken);

    /// <summary>Takes over the steps that earlier attempts recorded.</summary>
    /// <exception cref="IdempotencyRecordUnreadableException">They cannot be read.</exception>
    public void TakeOver(ReadOnlyMemory<byte> steps)
    {
        if (!steps.IsEmpty)
        {
            _steps = new RunSteps(this, stepRecording, StepLog.Decode(steps, out var version, out var reason) ?? throw new IdempotencyRecordUnreadableException(reason), version);
        }
    }

    /// <summary>Called when the store has renewed its lease.</summary>
    public void Renewed(long leaseUntil) => LeaseUntil = leaseUntil;

    /// <summary>Ends the claim: its response is in the store.</summary>
    public void EndCompleted()
    {
        TryEnd(End.Completed);
        if (Steps?.Unasked is { Count: > 0 } unasked)
        {
            stepRecording.Unasked(this, unasked);
        }
    }

    /// <summary>Ends the claim: it is about to be released in the store, or has been.</summary>
    /// <returns>Whether it had not ended before.</returns>
    public bool EndReleased() => TryEnd(End.Released);

    /// <summary>Ends the claim: its record stays as it is until its lease ends.</summary>
    public void EndLeftToLease() => TryEnd(End.LeftToLease);

    /// <summary>Ends the claim: it belongs to another owner.</summary>
    /// <returns>Whether that was not known before.</returns>
    public bool EndLost()
    {
        if (!TryEnd(End.Lost))
        {
            return false;
        }

        if (Volatile.Read(ref _lost) is { } source)
        {
            _ = FireAsync(source);
        }

        return true;
    }

    public async ValueTask DisposeAsync()
    {
        if (!IsCompleted && Steps is { } steps)
        {
            // A step that still runs must not run beside the next attempt. Its outcome decides what the caller receives, even if the claim is lost.
            await steps.SettleAsync(restarts: false);
        }

        if (HasEnded)
        {
            await RollBackAsync();
        }
        else if (_hasResponse)
        {
            recording.Leave(this);
        }
        else
        {
            await RollBackAsync(); // before another attempt can run
            await recording.ReleaseAsync(this);
        }
    }

    // Not immediately: code that a handler registers with the token must not delay renewals. Not CancelAsync either, which always uses the thread pool: this continues where other
    // awaits of the caller continue, so that the simulation decides when.
    private static async Task FireAsync(CancellationTokenSource source)
    {
        await Task.Yield();
        source.Cancel();
    }

    private bool TryEnd(End end)
    {
        if (Interlocked.CompareExchange(ref _end, (int)end, (int)End.None) != (int)End.None)
        {
            return false;
        }

        LeaseKeeper.Forget(this);
        return true;
    }
}
