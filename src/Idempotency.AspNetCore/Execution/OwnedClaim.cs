namespace Idempotency.AspNetCore;

/// <summary>A claim that this process owns. It has exactly one end: completed, released, left to its lease, or lost; whichever comes first.</summary>
/// <remarks>
/// Dispose it when the work is over, however that came about. A claim without an end is then released, so that the request may run again; or, when
/// its response was to be recorded and could not be, left to its lease, because what has happened must not happen again at once.
/// </remarks>
internal sealed class OwnedClaim(ClaimRequest request, Guid owner, int attempt, long leasedAt, Recording recording, StepRecording stepRecording) : IAsyncDisposable
{
    /// <summary>Its place in the lease keeper's queue, which alone touches it. It is here so that keeping a claim allocates nothing.</summary>
    internal LeaseKeeper.Place Place;

    private int _end;
    private bool _hasResponse;
    private int _marking;
    private RunSteps? _steps;

    // Made when somebody asks for the token, which few handlers do.
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

    /// <summary>Until when nobody else can take it over, in ticks of this process's clock: counted from before the store was asked, so never too long.</summary>
    public long LeaseUntil { get; private set; } = MonotonicTime.After(leasedAt, request.Policy.ClaimDuration);

    /// <summary>Whether irreversible effects may have started: then no other attempt ever runs.</summary>
    public bool EffectsStarted { get; private set; }

    /// <summary>The same, or whether they are being marked at this moment.</summary>
    public bool EffectsMayHaveStarted => EffectsStarted || Volatile.Read(ref _marking) > 0;

    /// <summary>Whether it has an end, whichever.</summary>
    public bool HasEnded => Volatile.Read(ref _end) != (int)End.None;

    /// <summary>Its steps; null while no attempt has used any.</summary>
    public RunSteps? Steps => Volatile.Read(ref _steps);

    /// <summary>Whether no other attempt may follow this one if it ends without a response: irreversible effects may have started, or a step has begun that must not run twice.</summary>
    public bool IsOutcomeUnknown => EffectsStarted || Steps?.IsAnyUnknown == true;

    /// <summary>The transaction in which its handler runs; null where there is none, and when it is over.</summary>
    public IIdempotencyTransaction? Transaction { get; private set; }

    /// <summary>Whether its response is recorded, while its handler may still run.</summary>
    public bool IsCompleted => Volatile.Read(ref _end) == (int)End.Completed;

    /// <summary>Fires when the claim is known to belong to somebody else.</summary>
    public CancellationToken Lost
    {
        get
        {
            var source = LazyInitializer.EnsureInitialized(ref _lost, static () => new CancellationTokenSource());
            Interlocked.MemoryBarrier(); // or the claim may be lost, and the source not seen there, between these two lines
            if (Volatile.Read(ref _end) == (int)End.Lost)
            {
                source.Cancel();
            }

            return source.Token;
        }
    }

    /// <summary>Begins the transaction in which its handler runs.</summary>
    /// <param name="services">The handler's scope.</param>
    /// <exception cref="InvalidOperationException">The scope's unit of work cannot take part, or the store cannot do it at all.</exception>
    public async ValueTask BeginTransactionAsync(IServiceProvider services)
    {
        Transaction = await recording.BeginTransactionAsync(services);
        if (!Transaction.AllowsOtherWriters)
        {
            LeaseKeeper.Forget(this); // it could not be renewed, and nobody can take it over either
        }
    }

    /// <summary>Ends the transaction, if there is one: what is not committed is undone.</summary>
    public async ValueTask RollBackAsync()
    {
        if (Transaction is { } transaction)
        {
            Transaction = null;
            await transaction.DisposeAsync();
            EffectsStarted |= transaction.WasEndedByHandler; // what of its effects is there nobody knows: it is not run again
        }
    }

    /// <summary>
    /// Records the response: in the handler's transaction, which commits with it; else with retries. Asked again after a failure it tries again; once it is recorded, it stays so.
    /// </summary>
    public ValueTask<Completion> CompleteAsync(ReadOnlyMemory<byte> payload)
    {
        _hasResponse = Transaction is null;
        return IsCompleted ? new(new Completion(CompletionOutcome.Recorded)) : recording.CompleteAsync(this, payload);
    }

    /// <summary>Records that irreversible effects are about to start. When it throws they must not.</summary>
    public async Task MarkEffectsStartedAsync(CancellationToken cancellationToken)
    {
        if (EffectsStarted || IsCompleted) // a response that streams was recorded before its first byte: nothing will run again
        {
            return;
        }

        Interlocked.Increment(ref _marking); // before the call: steps that are saved meanwhile must not remove the mark
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

    /// <summary>Runs a step of the run, or recalls its result.</summary>
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

    /// <summary>The store has renewed its lease.</summary>
    public void Renewed(long leaseUntil) => LeaseUntil = leaseUntil;

    /// <summary>Its response is in the store.</summary>
    public void EndCompleted()
    {
        TryEnd(End.Completed);
        if (Steps?.Unasked is { Count: > 0 } unasked)
        {
            stepRecording.Unasked(this, unasked);
        }
    }

    /// <summary>It is about to be given up in the store, or has been.</summary>
    /// <returns>Whether it had no end before.</returns>
    public bool EndReleased() => TryEnd(End.Released);

    /// <summary>Its record stays as it is until its lease is over.</summary>
    public void EndLeftToLease() => TryEnd(End.LeftToLease);

    /// <summary>It has turned out to be somebody else's.</summary>
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
            // What still runs must not run beside the next attempt. Nor is it known before what it comes to, which the caller is told even when the claim is lost.
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
            await RollBackAsync(); // before anybody else may run
            await recording.ReleaseAsync(this);
        }
    }

    // Not at once: what a handler hangs on the token must not hold up renewals. Not CancelAsync either, which always goes to the thread pool: this goes where other
    // awaits of the caller go, so a simulation can decide when.
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
