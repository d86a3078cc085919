using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Writes the steps of a run to the store, and reads their results.</summary>
internal sealed class StepRecording(StoreCalls store, Recording recording, Telemetry telemetry, TimeProvider time, ILogger<StepRecording> logger)
{
    public DateTimeOffset Now => time.GetUtcNow();

    /// <summary>The maximum size of all steps of a run, in bytes.</summary>
    public int MostBytes => store.MaxPayloadSize;

    /// <summary>Makes sure that a claim is ours before the work of a step runs: by its lease, which costs nothing, or, if the lease has ended by our clock, by a renewal.</summary>
    /// <exception cref="IdempotencyClaimLostException">The claim is not ours.</exception>
    /// <exception cref="IdempotencyStoreUnavailableException">The store is unavailable.</exception>
    public async ValueTask ConfirmAsync(OwnedClaim claim, CancellationToken cancellationToken)
    {
        if (claim.HasEnded)
        {
            throw Lost(claim);
        }

        if (time.Ticks() < claim.LeaseUntil)
        {
            return;
        }

        var leasedAt = await CallAsync(claim, store.ConfirmAsync(claim.Key, claim.Owner, claim.Policy, cancellationToken), cancellationToken) ?? throw Lost(claim);
        claim.Renewed(MonotonicTime.After(leasedAt, claim.Policy.ClaimDuration));
    }

    /// <summary>Saves steps before an effect that must not start without the save. Not retried.</summary>
    /// <exception cref="IdempotencyClaimLostException">The claim is no longer ours.</exception>
    /// <exception cref="IdempotencyStoreUnavailableException">The store is unavailable.</exception>
    public async ValueTask SaveAsync(OwnedClaim claim, IdempotencySteps steps, CancellationToken cancellationToken)
    {
        // The store renews the lease with the save, unless it already had these steps. We therefore do not count on a longer lease.
        if (!await CallAsync(claim, store.SaveStepsAsync(claim.Key, claim.Owner, steps, claim.Policy, cancellationToken), cancellationToken))
        {
            throw Lost(claim);
        }
    }

    /// <summary>Saves steps after the work of one has run, with retries for ten seconds. Completed work is recorded even if nobody waits for it any more.</summary>
    /// <exception cref="IdempotencyClaimLostException">The claim is no longer ours.</exception>
    /// <exception cref="IdempotencyStoreUnavailableException">The store was unavailable for that time.</exception>
    public async ValueTask SaveWithRetriesAsync(OwnedClaim claim, IdempotencySteps steps, string name)
    {
        var tries = new Backoff(time, MonotonicTime.After(time.Ticks(), StoreCalls.Budget));
        Exception? last;
        do
        {
            try
            {
                await SaveAsync(claim, steps, CancellationToken.None);
                return;
            }
            catch (IdempotencyStoreUnavailableException unavailable)
            {
                last = unavailable.InnerException;
                Log.StepRetried(logger, claim.Key, name, last);
            }
        }
        while (await tries.NextAsync());
        throw new IdempotencyStoreUnavailableException($"The step '{name}' ran, but could not be recorded because the idempotency store is unavailable. Let this exception end the run. A retry runs the step again, or is rejected if StepOptions.WhenInterrupted is Refuse.", last) { RetryAfter = TimeSpan.FromSeconds(5) };
    }

    /// <summary>Encodes the result of a step. Never throws: the work is complete and must not run again because of its result.</summary>
    public byte[] Encode<T>(OwnedClaim claim, string name, T result, ResultFormat<T> format)
    {
        try
        {
            return format.Write(result, store.CompressionThreshold, out _);
        }
        catch (Exception exception)
        {
            Log.StepResultNotSerialized(logger, claim.Key, name, exception);
            return StoredResult.Encode(ResultKind.NotKept);
        }
    }

    /// <summary>Reads the result of a recorded step.</summary>
    /// <exception cref="IdempotencyResultUnavailableException">It has no result, or none of this type.</exception>
    public T Read<T>(OwnedClaim claim, Step step, ResultFormat<T> format)
    {
        Log.StepRecalled(logger, claim.Key, step.Name, step.Attempt);
        return StoredResult.Decode(step.Result, out var reason) is { } stored
            ? format.Read(stored, $"The step '{step.Name}'")
            : throw new IdempotencyResultUnavailableException($"The step '{step.Name}' is complete, but its recorded result cannot be read: {reason}. Do not repeat the work.");
    }

    public void ResultTooLarge(OwnedClaim claim, string name, int size) => Log.StepResultTooLarge(logger, claim.Key, name, size);

    /// <summary>Called when a step ends.</summary>
    public void Ended(Activity? activity, OwnedClaim claim, string name, string outcome, Exception? exception = null)
    {
        activity?.SetTag("idempotency.step.name", name);
        if (exception is null)
        {
            Telemetry.End(activity, claim.Key, outcome, claim.Attempt);
        }
        else
        {
            Telemetry.EndFailed(activity, claim.Key, outcome, claim.Attempt, exception);
        }

        telemetry.StepEnded(name, outcome);
    }

    /// <summary>Called when a run has completed without using some of the recorded steps.</summary>
    public void Unasked(OwnedClaim claim, IReadOnlyList<string> names) => Log.StepsNotUsed(logger, claim.Key, string.Join(", ", names));

    private IdempotencyClaimLostException Lost(OwnedClaim claim)
    {
        recording.Lose(claim);
        return new IdempotencyClaimLostException("The claim of this run was lost: another attempt took it over, or an operator deleted it. Let this exception end the run.");
    }

    private async ValueTask<T> CallAsync<T>(OwnedClaim claim, ValueTask<T> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            Log.StepsUnavailable(logger, claim.Key, exception);
            throw new IdempotencyStoreUnavailableException("The idempotency store is unavailable, so the next step could not start. Let this exception end the run.", exception) { RetryAfter = TimeSpan.FromSeconds(5) };
        }
    }
}
