namespace Idempotency.AspNetCore;

/// <summary>The steps of one claim: those that earlier attempts recorded, and those of this one.</summary>
/// <remarks>
/// <para>1. A step that is recorded is recalled: its work does not run. 2. Otherwise the claim must be known to be ours. 3. A step that must not run twice is recorded as begun before its work runs, and marks the claim: whoever finds
/// that mark on an abandoned claim knows that the outcome is unknown. 4. The work runs. 5. Its result is recorded, with retries; only then does the handler go on.</para>
/// <para>Each save has all steps and a version of its own, so steps that run at the same time do not lose each other, and a write that arrives late takes nothing back. What a save could not write, the next one has too.</para>
/// </remarks>
internal sealed class RunSteps(OwnedClaim claim, StepRecording recording, IReadOnlyList<Step> recorded, int version)
{
    private readonly Dictionary<string, Step> _steps = recorded.ToDictionary(static step => step.Name, StringComparer.Ordinal);
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    // Steps that must not run twice, from before their start is saved until their result is.
    private readonly HashSet<string> _unknown = recorded.Where(static step => step.State == StepState.Begun).Select(static step => step.Name).ToHashSet(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private int _version = version;
    private bool _effectsStarted;
    private bool _needsCorrection;

    private InterruptedStepBehavior Default => claim.Policy.WhenAbandoned == AbandonedBehavior.Refuse ? InterruptedStepBehavior.Refuse : InterruptedStepBehavior.RunAgain;

    /// <summary>The exception with which a step failed last, other than one of its work.</summary>
    public IdempotencyException? Failure { get; private set; }

    /// <summary>Whether a step has begun that must not run twice, and is not recorded: then no attempt may follow.</summary>
    public bool IsAnyUnknown
    {
        get
        {
            lock (_lock)
            {
                return _unknown.Count > 0;
            }
        }
    }

    /// <summary>
    /// What must be saved before the claim is released, if anything: the record may say of a step that it has begun, because only the reply to that was lost, while its work has not run. The next attempt would take its
    /// outcome for unknown.
    /// </summary>
    public IdempotencySteps? Correction
    {
        get
        {
            lock (_lock)
            {
                return _needsCorrection ? Snapshot() : null;
            }
        }
    }

    /// <summary>Recorded steps that this run has not asked for: of a handler that has changed since.</summary>
    public IReadOnlyList<string> Unasked
    {
        get
        {
            lock (_lock)
            {
                return [.. _steps.Keys.Where(name => !_asked.Contains(name))];
            }
        }
    }

    /// <summary>The handler begins from its start, in this attempt perhaps not for the first time.</summary>
    public void Restart()
    {
        lock (_lock)
        {
            _asked.Clear();
        }
    }

    public async Task<T> RunAsync<T>(string name, Func<CancellationToken, Task<T>> work, ResultFormat<T> format, StepOptions? options, CancellationToken cancellationToken)
    {
        using var activity = Telemetry.Activities.StartActivity("idempotency.step");
        var isWork = false;
        try
        {
            if (Recall(name) is { } recorded)
            {
                var recalled = recording.Read(claim, recorded, format);
                recording.Ended(activity, claim, name, Telemetry.Recalled);
                return recalled;
            }

            if (claim.IsCompleted) // a response that streams was recorded before its first byte: nothing will run again
            {
                isWork = true;
                return await RunWorkAsync(work, cancellationToken);
            }

            await BeginAsync(name, options?.WhenInterrupted ?? Default, cancellationToken);
            isWork = true;
            var result = await RunWorkAsync(work, cancellationToken);
            isWork = false;
            await RecordAsync(name, recording.Encode(claim, name, result, format));
            recording.Ended(activity, claim, name, Telemetry.Executed);
            return result;
        }
        catch (Exception exception)
        {
            Failure = isWork ? Failure : exception as IdempotencyException ?? Failure;
            recording.Ended(activity, claim, name, isWork ? Telemetry.Failed : (exception as IdempotencyException)?.Code ?? Telemetry.Failed, exception);
            throw;
        }
    }

    /// <summary>Marks the claim: irreversible effects are about to start.</summary>
    public async ValueTask MarkEffectsStartedAsync(CancellationToken cancellationToken)
    {
        IdempotencySteps marked;
        lock (_lock)
        {
            _effectsStarted = true; // before the call: no save that begins meanwhile may remove the mark
            marked = Snapshot();
        }

        try
        {
            await recording.SaveAsync(claim, marked, cancellationToken);
        }
        catch
        {
            lock (_lock)
            {
                _effectsStarted = false;
            }

            throw;
        }
    }

    private Step? Recall(string name)
    {
        lock (_lock)
        {
            if (!_asked.Add(name))
            {
                throw new InvalidOperationException($"The step '{name}' is used twice in one run. Give each step a name of its own: in a loop, add what tells its rounds apart, for example $\"{name}-{{item.Id}}\".");
            }

            return _steps.GetValueOrDefault(name) switch
            {
                null => null,
                { State: StepState.Recorded } step => step,
                _ => throw new IdempotencyOutcomeUnknownException($"The step '{name}' began in an earlier attempt and may or may not have taken effect. It does not run again. Find out what became of it."),
            };
        }
    }

    private async ValueTask BeginAsync(string name, InterruptedStepBehavior whenInterrupted, CancellationToken cancellationToken)
    {
        if (claim.Transaction is { AllowsOtherWriters: false })
        {
            throw new InvalidOperationException($"The step '{name}' cannot be recorded while the transaction of this run holds the only right to write to its database (SQLite). Use steps in an endpoint or a call of its own with IdempotencyTransaction.Separate, or use a database that accepts other writes meanwhile.");
        }

        if (whenInterrupted == InterruptedStepBehavior.RunAgain)
        {
            await recording.ConfirmAsync(claim, cancellationToken);
            return;
        }

        IdempotencySteps begun;
        lock (_lock)
        {
            _unknown.Add(name);
            _steps[name] = new Step(name, StepState.Begun, claim.Attempt, recording.Now, default);
            begun = Snapshot();
        }

        try
        {
            await recording.SaveAsync(claim, begun, cancellationToken);
        }
        catch
        {
            lock (_lock)
            {
                _steps.Remove(name); // its work does not run
                _unknown.Remove(name);
                _needsCorrection = true;
            }

            throw;
        }
    }

    // What the handler does when its claim is lost may be done twice, so its work had better end. The caller's own token counts too.
    private async Task<T> RunWorkAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        if (!cancellationToken.CanBeCanceled)
        {
            return await work(claim.Lost);
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, claim.Lost);
        return await work(either.Token);
    }

    private async ValueTask RecordAsync(string name, byte[] result)
    {
        IdempotencySteps all;
        lock (_lock)
        {
            var step = new Step(name, StepState.Recorded, claim.Attempt, recording.Now, result);
            _steps[name] = step;
            if (StepLog.SizeOf(_steps.Values) > recording.MostBytes)
            {
                recording.ResultTooLarge(claim, name, result.Length);
                _steps[name] = step with { Result = StoredResult.Encode(ResultKind.NotKept) };
            }

            all = Snapshot();
        }

        await recording.SaveWithRetriesAsync(claim, all, name);
        lock (_lock)
        {
            _unknown.Remove(name);
        }
    }

    private IdempotencySteps Snapshot() => new()
    {
        Version = ++_version,
        Data = StepLog.Encode(_version, _steps.Values),
        EffectsStarted = _effectsStarted || claim.EffectsMayHaveStarted || _steps.Values.Any(static step => step.State == StepState.Begun),
    };
}
