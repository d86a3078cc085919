using System.Diagnostics;

namespace Idempotency.AspNetCore;

/// <summary>The store as the library asks it: calls are timed while somebody listens, payloads are protected where that is switched on. Otherwise it is as if it were not there.</summary>
internal sealed class StoreAccess(IIdempotencyStore inner, Telemetry telemetry, ResponseProtection? protection = null) : IIdempotencyStore
{
    // No room for protection is no room for a payload: then answers complete without their bodies, and without their headers if need be.
    public int MaxPayloadSize => protection is null ? inner.MaxPayloadSize : Math.Max(0, inner.MaxPayloadSize - ResponseProtection.MaxOverhead - Sha256Hash.Length);

    public int CompressionThreshold => inner.CompressionThreshold;

    /// <summary>Whether records are in this very memory, in the form they are needed in.</summary>
    public bool IsInProcess { get; } = inner is InMemoryIdempotencyStore && protection is null;

    /// <summary>The store itself.</summary>
    public IIdempotencyStore Inner => inner;

    // For the two calls of every first execution, whose arguments are large: they need not be gathered when there is nothing to do but the call.
    private bool IsPassedOn => protection is null && !telemetry.IsTimingStoreCalls;

    public ValueTask<ClaimResult> ClaimAsync(Sha256Hash key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        if (IsPassedOn)
        {
            return inner.ClaimAsync(key, claim, cancellationToken);
        }

        // Keys that cannot be had must show before the handler runs, not when its answer is to be kept.
        protection?.Protect(key, []);
        var call = CallAsync("claim", (inner, key, claim, cancellationToken), static call => call.inner.ClaimAsync(call.key, call.claim, call.cancellationToken), static claimed => claimed.IsAcquired ? "acquired" : "held");
        return protection is null ? call : UnprotectedAsync(key, call);
    }

    public ValueTask<bool> RenewAsync(Sha256Hash key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        CallAsync("renew", (inner, key, owner, lease, retention, cancellationToken), static call => call.inner.RenewAsync(call.key, call.owner, call.lease, call.retention, call.cancellationToken), DoneOrNot);

    public ValueTask<bool> MarkEffectsStartedAsync(Sha256Hash key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        CallAsync("mark", (inner, key, owner, lease, retention, cancellationToken), static call => call.inner.MarkEffectsStartedAsync(call.key, call.owner, call.lease, call.retention, call.cancellationToken), DoneOrNot);

    public ValueTask<bool> CompleteAsync(Sha256Hash key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken)
    {
        if (IsPassedOn)
        {
            return inner.CompleteAsync(key, owner, payload, retention, cancellationToken);
        }

        var kept = Protected(key, payload);
        return CallAsync("complete", (inner, key, owner, kept, retention, cancellationToken), static call => call.inner.CompleteAsync(call.key, call.owner, call.kept, call.retention, call.cancellationToken), DoneOrNot);
    }

    public ValueTask<bool> ReleaseAsync(Sha256Hash key, Guid owner, CancellationToken cancellationToken) =>
        CallAsync("release", (inner, key, owner, cancellationToken), static call => call.inner.ReleaseAsync(call.key, call.owner, call.cancellationToken), DoneOrNot);

    public ValueTask<IdempotencyRecord?> ReadAsync(Sha256Hash key, CancellationToken cancellationToken)
    {
        var call = CallAsync("read", (inner, key, cancellationToken), static call => call.inner.ReadAsync(call.key, call.cancellationToken), static record => record is null ? "none" : "found");
        return protection is null ? call : UnprotectedAsync(key, call);
    }

    public ValueTask<bool> DeleteAsync(Sha256Hash key, CancellationToken cancellationToken) =>
        CallAsync("delete", (inner, key, cancellationToken), static call => call.inner.DeleteAsync(call.key, call.cancellationToken), static wasThere => wasThere ? "done" : "none");

    /// <summary>Begins the transaction of a run, as <see cref="ITransactionalIdempotencyStore.BeginTransactionAsync"/>.</summary>
    public async ValueTask<IIdempotencyTransaction> BeginTransactionAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        if (WhyNotTransactional is { } whyNot)
        {
            throw new InvalidOperationException(whyNot);
        }

        return new ObservedTransaction(this, await ((ITransactionalIdempotencyStore)inner).BeginTransactionAsync(services, cancellationToken));
    }

    /// <summary>Why the store cannot record in the handler's transaction, with the remedy; null when it can.</summary>
    public string? WhyNotTransactional => inner is ITransactionalIdempotencyStore
        ? null
        : $"Its policy has the {nameof(IdempotencyPolicy.Transaction)} {nameof(IdempotencyTransaction.SameAsHandler)}, which the store '{inner.GetType()}' cannot do: its records are not in the application's own database. Use AddEntityFrameworkCoreStore<TDbContext>() of Idempotency.AspNetCore.EntityFrameworkCore, or {nameof(IdempotencyTransaction)}.{nameof(IdempotencyTransaction.Separate)}.";

    private async ValueTask<ClaimResult> UnprotectedAsync(Sha256Hash key, ValueTask<ClaimResult> call) =>
        await call is var claimed && claimed.Existing is { } existing ? ClaimResult.Held(Unprotected(key, existing)) : claimed;

    private async ValueTask<IdempotencyRecord?> UnprotectedAsync(Sha256Hash key, ValueTask<IdempotencyRecord?> call) =>
        await call is { } existing ? Unprotected(key, existing) : null;

    private IdempotencyRecord Unprotected(Sha256Hash key, IdempotencyRecord existing) => existing.Status == IdempotencyRecordStatus.Completed
        ? existing with { Payload = protection!.Unprotect(key, existing.Payload) }
        : existing;

    private ReadOnlyMemory<byte> Protected(Sha256Hash key, ReadOnlyMemory<byte> payload) => protection is null ? payload : protection.Protect(key, payload.Span);

    private static string DoneOrNot(bool wasOwned) => wasOwned ? "done" : "not-owned";

    // The arguments as a value: a closure would be made for every call, timed or not.
    private ValueTask<T> CallAsync<TCall, T>(string operation, TCall call, Func<TCall, ValueTask<T>> make, Func<T, string> resultOf) =>
        telemetry.IsTimingStoreCalls ? TimedAsync(operation, call, make, resultOf) : make(call);

    // The real clock: a duration is measured, not simulated.
    private async ValueTask<T> TimedAsync<TCall, T>(string operation, TCall call, Func<TCall, ValueTask<T>> make, Func<T, string> resultOf)
    {
        var startedAt = Stopwatch.GetTimestamp();
        try
        {
            var result = await make(call);
            telemetry.StoreCalled(operation, resultOf(result), Stopwatch.GetElapsedTime(startedAt));
            return result;
        }
        catch (Exception exception)
        {
            telemetry.StoreCalled(operation, "error", Stopwatch.GetElapsedTime(startedAt), exception);
            throw;
        }
    }

    /// <summary>The same for the one store call that is made in a transaction.</summary>
    private sealed class ObservedTransaction(StoreAccess access, IIdempotencyTransaction transaction) : IIdempotencyTransaction
    {
        public bool AllowsOtherWriters => transaction.AllowsOtherWriters;

        public bool WasEndedByHandler => transaction.WasEndedByHandler;

        public ValueTask<bool> CompleteAsync(Sha256Hash key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken)
        {
            var kept = access.Protected(key, payload);
            return access.CallAsync("complete", (transaction, key, owner, kept, retention, cancellationToken), static call => call.transaction.CompleteAsync(call.key, call.owner, call.kept, call.retention, call.cancellationToken), DoneOrNot);
        }

        public bool IsConflict(Exception exception) => transaction.IsConflict(exception);

        public ValueTask DisposeAsync() => transaction.DisposeAsync();
    }
}
