namespace Idempotency.AspNetCore;

/// <summary>The steps of one claim: those that earlier attempts recorded, and those of this one.</summary>
/// <remarks>
/// <para>1. A recorded step is recalled: its work does not run. 2. Otherwise the claim must be known to be ours. 3. A step that must not run twice is recorded as started before its work runs, and marks the claim: a request that finds
/// the mark on an abandoned claim knows that the outcome is unknown. 4. The work runs. 5. Its result is recorded, with retries, before the handler continues.</para>
/// <para>Each save contains all steps and a version, so steps that run at the same time do not lose each other's results, and a late write undoes nothing. The next save repeats steps that a failed save could not write.</para>
/// </remarks>
internal sealed class RunSteps(OwnedClaim claim, StepRecording recording, IReadOnlyList<Step> recorded, int version)
{
    private readonly Dictionary<string, Step> _steps = recorded.ToDictionary(static step => step.Name, StringComparer.Ordinal);
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    // Steps that must not run twice, from before their start is saved until their result is saved.
    private readonly HashSet<string> _unknown = recorded.Where(static step => step.State == StepState.Begun).Select(static step => step.Name).ToHashSet(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private int _version = version;
    private readonly List<IdempotencyException> _failures = [];
    private int _running;
    private bool _isClosed;
    private bool _needsCorrection;
    private TaskCompletionSource? _ended;

    private InterruptedStepBehavior Default => claim.Policy.WhenAbandoned == AbandonedBehavior.Refuse ? InterruptedStepBehavior.Refuse : InterruptedStepBehavior.RunAgain;

    /// <summary>Whether an exception is a failure of a step of this run other than an exception of its work.</summary>
    public bool IsFailure(Exception exception)
    {
        lock (_lock)
        {
            return _failures.Any(failure => ReferenceEquals(failure, exception));
        }
    }

    /// <summary>Whether a step that must not run twice has started and is not recorded, so that no attempt may follow.</summary>
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
    /// The steps to save before the claim is released, if any: the record may have a step as started, because only the response to that save was lost, although its work has not run. The next attempt would treat its
    /// outcome as unknown.
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

    /// <summary>Recorded steps that this run did not use, because the handler has changed.</summary>
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

    /// <summary>Waits until no step is running, because the handler has ended or starts again. Running steps must not overlap with the next attempt.</summary>
    /// <param name="restarts">Whether the handler starts again. Otherwise, no further step can start.</param>
    public async ValueTask SettleAsync(bool restarts)
    {
        Task? ended = null;
        lock (_lock)
        {
            _isClosed = true;
            ended = _running == 0 ? null : (_ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }

        if (ended is not null)
        {
            await ended;
        }

        lock (_lock)
        {
            _isClosed = !restarts;
            _asked.Clear();
        }
    }

    public async Task<T> RunAsync<T>(string name, Func<CancellationToken, Task<T>> work, ResultFormat<T> format, StepOptions? options, CancellationToken cancellationToken)
    {
        using var activity = Telemetry.Activities.StartActivity("idempotency.step");
        var isWork = false;
        var recorded = Enter(name);
        try
        {
            if (recorded is { State: StepState.Begun })
            {
                throw new IdempotencyOutcomeUnknownException($"The step '{name}' started in an earlier attempt and may or may not have taken effect, so it was not run again. Check whether it took effect.");
            }

            if (recorded is not null)
            {
                var recalled = recording.Read(claim, recorded, format);
                recording.Ended(activity, claim, name, Telemetry.Recalled);
                return recalled;
            }

            if (claim.IsCompleted) // a streamed response was recorded before its first byte, so nothing will run again
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
            if (!isWork && exception is IdempotencyException failure)
            {
                lock (_lock)
                {
                    _failures.Add(failure);
                }
            }

            recording.Ended(activity, claim, name, isWork ? Telemetry.Failed : (exception as IdempotencyException)?.Code ?? Telemetry.Failed, exception);
            throw;
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Marks the claim: irreversible effects are about to start. The mark is set on the claim first, so no save that starts in the meantime removes it.</summary>
    public async ValueTask MarkEffectsStartedAsync(CancellationToken cancellationToken)
    {
        IdempotencySteps marked;
        lock (_lock)
        {
            marked = Snapshot();
        }

        await recording.SaveAsync(claim, marked, cancellationToken);
    }

    /// <returns>The step, if an earlier attempt started or recorded it.</returns>
    private Step? Enter(string name)
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                throw new IdempotencyClaimLostException($"The step '{name}' was started after its run had ended. Await every step before the handler returns.");
            }

            if (!_asked.Add(name))
            {
                throw new InvalidOperationException($"The step '{name}' is used more than once in the same run. Give each step a unique name; in a loop, include the item, for example $\"{name}-{{item.Id}}\".");
            }

            var known = _steps.GetValueOrDefault(name);
            if (known is null && !claim.IsCompleted && StepLog.SizeOf(_steps.Values) + ((_running + 1) * StepLog.MostWithoutResult) > recording.MostBytes)
            {
                throw new InvalidOperationException($"The steps of this run exceed the maximum size of a record in the store ({recording.MostBytes} bytes). The step '{name}' was not run. Use fewer steps, or return less from them.");
            }

            _running++;
            return known;
        }
    }

    private void Leave()
    {
        TaskCompletionSource? ended = null;
        lock (_lock)
        {
            if (--_running == 0)
            {
                (ended, _ended) = (_ended, null);
            }
        }

        ended?.SetResult();
    }

    private async ValueTask BeginAsync(string name, InterruptedStepBehavior whenInterrupted, CancellationToken cancellationToken)
    {
        if (claim.Transaction is { AllowsOtherWriters: false })
        {
            throw new InvalidOperationException($"The step '{name}' cannot be recorded while the transaction of this run holds the write lock of its database (SQLite allows one writer at a time). Use steps in an endpoint or call that uses IdempotencyTransaction.Separate, or use a database that allows concurrent writers.");
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
                _steps.Remove(name); // its work does not run, but the store may have it
                _unknown.Remove(name);
                _needsCorrection = true;
            }

            throw;
        }
    }

    // Effects after a lost claim may happen twice, so the work should end. The caller's own token is honored too.
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
        EffectsStarted = claim.EffectsMayHaveStarted || _steps.Values.Any(static step => step.State == StepState.Begun),
    };
}
