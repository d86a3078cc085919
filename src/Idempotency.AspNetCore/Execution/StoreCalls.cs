using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Calls the store: within a time limit, measured while someone listens, and with protected payloads if that is turned on.</summary>
/// <remarks>A call that the store completes synchronously costs nothing beyond the call itself.</remarks>
internal sealed class StoreCalls
{
    /// <summary>The time limit of a call. It also applies to stores that ignore the token.</summary>
    public static readonly TimeSpan Budget = TimeSpan.FromSeconds(10);

    private readonly Telemetry _telemetry;
    private readonly TimeProvider _time;
    private readonly PendingReleases _pending;
    private readonly ResponseProtection? _protection;

    public StoreCalls(IIdempotencyStore inner, DuplicateWaiters waiters, Telemetry telemetry, TimeProvider time, ILogger<StoreCalls> logger, ResponseProtection? protection = null)
    {
        Inner = inner;
        IsInProcess = inner is InMemoryIdempotencyStore && protection is null;
        _telemetry = telemetry;
        _time = time;
        _pending = new PendingReleases(ReleaseAsync, waiters, time, logger);
        _protection = protection;
        if (inner is InMemoryIdempotencyStore inMemory)
        {
            telemetry.ObserveInMemoryStore(() => inMemory.Count, () => inMemory.Bytes, inMemory.MaxBytes);
        }
    }

    /// <summary>The store itself.</summary>
    public IIdempotencyStore Inner { get; }

    /// <summary>Whether records are in the memory of this process, in the form in which they are used.</summary>
    public bool IsInProcess { get; }

    // If there is no room for protection, there is no room for a payload: responses then complete without their bodies, and if necessary without their headers.
    public int MaxPayloadSize => _protection is null ? Inner.MaxPayloadSize : Math.Max(0, Inner.MaxPayloadSize - ResponseProtection.MaxOverhead - Sha256Hash.Length);

    public int CompressionThreshold => Inner.CompressionThreshold;

    /// <summary>The reason why the store cannot record in the handler's transaction, with the fix; null if it can.</summary>
    public string? WhyNotTransactional => Inner is ITransactionalIdempotencyStore
        ? null
        : $"The policy sets {nameof(IdempotencyPolicy.Transaction)} to {nameof(IdempotencyTransaction.SameAsHandler)}, which the store '{Inner.GetType()}' does not support, because its records are not in the application's own database. Use AddEntityFrameworkCoreStore<TDbContext>() from Idempotency.AspNetCore.EntityFrameworkCore, or set {nameof(IdempotencyTransaction)}.{nameof(IdempotencyTransaction.Separate)}.";

    // For the two calls of every first execution, whose arguments are large: they are not copied when the call is all there is to do.
    private bool IsBare => _protection is null && !_telemetry.IsTimingStoreCalls;

    /// <summary>Claims a key. If the call times out and the claim is granted later, it is released then.</summary>
    public ValueTask<ClaimResult> ClaimAsync(StoreKey key, in IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        if (!IsBare)
        {
            // Missing Data Protection keys must show before the handler runs, not when its response is recorded.
            _protection?.Protect(key, []);
        }

        var call = IsBare
            ? Inner.ClaimAsync(key, claim, cancellationToken)
            : UnprotectedAsync(key, TimedAsync("claim", (Inner, key, claim, cancellationToken), static call => call.Inner.ClaimAsync(call.key, call.claim, call.cancellationToken), static claimed => claimed.IsAcquired ? "acquired" : "held"));
        return call.IsCompleted ? call : AwaitClaimAsync(call.AsTask(), key, claim);
    }

    /// <summary>Renews a claim for the lease of its policy.</summary>
    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, IdempotencyPolicy policy, CancellationToken cancellationToken) => RenewAsync(key, owner, policy, Budget, cancellationToken);

    /// <summary>Renews a claim for the lease of its policy, with a different time limit.</summary>
    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, IdempotencyPolicy policy, TimeSpan budget, CancellationToken cancellationToken) => WithinAsync(
        TimedAsync("renew", (Inner, key, owner, policy, cancellationToken), static call => call.Inner.RenewAsync(call.key, call.owner, call.policy.ClaimDuration, call.policy.Retention, call.cancellationToken), DoneOrNot),
        budget);

    /// <summary>Makes sure that a claim is ours: renews it until a response arrives before the lease that it grants ends. After that end, another attempt may have the key.</summary>
    /// <returns>The start of the lease, in ticks; null if the claim is no longer ours.</returns>
    /// <exception cref="TimeoutException">Every response arrived too late.</exception>
    public async ValueTask<long?> ConfirmAsync(StoreKey key, Guid owner, IdempotencyPolicy policy, CancellationToken cancellationToken)
    {
        var giveUpAt = MonotonicTime.After(_time.Ticks(), Budget);
        while (_time.Ticks() is var askedAt && askedAt < giveUpAt)
        {
            if (!await RenewAsync(key, owner, policy, cancellationToken))
            {
                return null;
            }

            if (_time.Ticks() - askedAt < policy.ClaimDuration.Ticks)
            {
                return askedAt;
            }
        }

        throw new TimeoutException("The store took longer to respond than the claim lasts. Check the store, or increase ClaimDuration.");
    }

    /// <summary>Marks a claim and renews it. With a lease of zero, the marked claim is abandoned at once.</summary>
    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) => WithinAsync(
        TimedAsync("mark", (Inner, key, owner, lease, retention, cancellationToken), static call => call.Inner.MarkEffectsStartedAsync(call.key, call.owner, call.lease, call.retention, call.cancellationToken), DoneOrNot),
        Budget);

    /// <summary>Saves the steps of a claim, and renews it.</summary>
    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, IdempotencyPolicy policy, CancellationToken cancellationToken) => WithinAsync(
        TimedAsync(
            "save-steps",
            (Inner, key, owner, steps: steps with { Data = Protected(key, steps.Data) }, policy, cancellationToken),
            static call => call.Inner.SaveStepsAsync(call.key, call.owner, call.steps, call.policy.ClaimDuration, call.policy.Retention, call.cancellationToken),
            DoneOrNot),
        Budget);

    /// <summary>Completes a claim. It takes no token, because completed work is recorded even if nobody waits for it any more.</summary>
    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention) => WithinAsync(
        IsBare
            ? Inner.CompleteAsync(key, owner, payload, retention, CancellationToken.None)
            : TimedAsync("complete", (Inner, key, owner, payload: Protected(key, payload), retention), static call => call.Inner.CompleteAsync(call.key, call.owner, call.payload, call.retention, CancellationToken.None), DoneOrNot),
        Budget);

    /// <summary>Releases a claim.</summary>
    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner) => WithinAsync(
        TimedAsync("release", (Inner, key, owner), static call => call.Inner.ReleaseAsync(call.key, call.owner, CancellationToken.None), DoneOrNot),
        Budget);

    /// <summary>Reads a record.</summary>
    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken) => ReadAsync(key, Budget, cancellationToken);

    /// <summary>Reads a record, with a different time limit.</summary>
    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, TimeSpan budget, CancellationToken cancellationToken) => WithinAsync(
        UnprotectedAsync(key, TimedAsync("read", (Inner, key, cancellationToken), static call => call.Inner.ReadAsync(call.key, call.cancellationToken), static record => record is null ? "none" : "found")),
        budget);

    /// <summary>Deletes a record, for operators.</summary>
    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken) => WithinAsync(
        TimedAsync("delete", (Inner, key, cancellationToken), static call => call.Inner.DeleteAsync(call.key, call.cancellationToken), static wasThere => wasThere ? "done" : "none"),
        Budget);

    /// <summary>Starts the transaction of a handler, as <see cref="ITransactionalIdempotencyStore.BeginTransactionAsync"/>.</summary>
    public ValueTask<IIdempotencyTransaction> BeginTransactionAsync(IServiceProvider services) => WhyNotTransactional is { } whyNot
        ? throw new InvalidOperationException(whyNot)
        : ((ITransactionalIdempotencyStore)Inner).BeginTransactionAsync(services, CancellationToken.None);

    /// <summary>Completes a claim in the handler's transaction and commits it. The time limits of the database apply, because the outcome of a commit must be known.</summary>
    public ValueTask<bool> CommitAsync(IIdempotencyTransaction transaction, StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention) => TimedAsync(
        "complete",
        (transaction, key, owner, payload: Protected(key, payload), retention),
        static call => call.transaction.CompleteAsync(call.key, call.owner, call.payload, call.retention, CancellationToken.None),
        DoneOrNot);

    /// <summary>Releases a claim that may be ours, when the store is available.</summary>
    /// <param name="key">The key.</param>
    /// <param name="owner">The owner that may have the claim.</param>
    /// <param name="policy">The policy of the claim.</param>
    /// <param name="steps">Steps to save before the release, if any.</param>
    public void ReleaseInBackground(StoreKey key, Guid owner, IdempotencyPolicy policy, IdempotencySteps? steps = null) =>
        _pending.Add(key, owner, policy.ClaimDuration, steps is { } saved ? () => SaveStepsAsync(key, owner, saved, policy, CancellationToken.None) : null);

    private async ValueTask<ClaimResult> AwaitClaimAsync(Task<ClaimResult> call, StoreKey key, IdempotencyClaim claim)
    {
        try
        {
            return await call.WaitAsync(Budget, _time, CancellationToken.None); // the store observes the caller's token, if at all
        }
        catch (TimeoutException) when (!call.IsCompleted)
        {
            _ = ReleaseAfterAsync(call, key, claim.Owner, claim.Lease);
            throw;
        }
    }

    private async Task ReleaseAfterAsync(Task call, StoreKey key, Guid owner, TimeSpan lease)
    {
        await call.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        _pending.Add(key, owner, lease);
    }

    private ValueTask<T> WithinAsync<T>(ValueTask<T> call, TimeSpan budget) =>
        call.IsCompleted ? call : new ValueTask<T>(call.AsTask().WaitAsync(budget, _time));

    private ValueTask<ClaimResult> UnprotectedAsync(StoreKey key, ValueTask<ClaimResult> call) => _protection is null ? call : AwaitUnprotectedAsync(key, call);

    private async ValueTask<ClaimResult> AwaitUnprotectedAsync(StoreKey key, ValueTask<ClaimResult> call) =>
        await call is var claimed && claimed.Existing is { } existing ? ClaimResult.Held(Unprotected(key, existing))
        : claimed.Steps.IsEmpty ? claimed
        : ClaimResult.TookOver(_protection!.Unprotect(key, claimed.Steps));

    private ValueTask<IdempotencyRecord?> UnprotectedAsync(StoreKey key, ValueTask<IdempotencyRecord?> call) => _protection is null ? call : AwaitUnprotectedAsync(key, call);

    private async ValueTask<IdempotencyRecord?> AwaitUnprotectedAsync(StoreKey key, ValueTask<IdempotencyRecord?> call) =>
        await call is { } existing ? Unprotected(key, existing) : null;

    private IdempotencyRecord Unprotected(StoreKey key, IdempotencyRecord existing) => existing.Status == IdempotencyRecordStatus.InProgress && existing.Payload.IsEmpty
        ? existing
        : existing with { Payload = _protection!.Unprotect(key, existing.Payload) };

    private ReadOnlyMemory<byte> Protected(StoreKey key, ReadOnlyMemory<byte> payload) => _protection is null ? payload : _protection.Protect(key, payload.Span);

    private static string DoneOrNot(bool wasOwned) => wasOwned ? "done" : "not-owned";

    // The arguments are passed as a value, because a closure would be allocated for every call, measured or not.
    private ValueTask<T> TimedAsync<TCall, T>(string operation, TCall call, Func<TCall, ValueTask<T>> make, Func<T, string> resultOf) =>
        _telemetry.IsTimingStoreCalls ? AwaitTimedAsync(operation, call, make, resultOf) : make(call);

    // The real clock, because durations are measured and not simulated.
    private async ValueTask<T> AwaitTimedAsync<TCall, T>(string operation, TCall call, Func<TCall, ValueTask<T>> make, Func<T, string> resultOf)
    {
        var startedAt = Stopwatch.GetTimestamp();
        try
        {
            var result = await make(call);
            _telemetry.StoreCalled(operation, resultOf(result), Stopwatch.GetElapsedTime(startedAt));
            return result;
        }
        catch (Exception exception)
        {
            _telemetry.StoreCalled(operation, "error", Stopwatch.GetElapsedTime(startedAt), exception);
            throw;
        }
    }
}
