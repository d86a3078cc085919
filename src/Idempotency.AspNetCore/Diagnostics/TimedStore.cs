using System.Diagnostics;

namespace Idempotency.AspNetCore;

/// <summary>A store whose calls are timed while somebody listens; otherwise it is as if it were not there.</summary>
internal sealed class TimedStore(IIdempotencyStore inner, Telemetry telemetry) : IIdempotencyStore
{
    int IIdempotencyStore.MaxPayloadSize => inner.MaxPayloadSize;

    int IIdempotencyStore.CompressionThreshold => inner.CompressionThreshold;

    public ValueTask<ClaimResult> ClaimAsync(Sha256Hash key, IdempotencyClaim claim, CancellationToken cancellationToken) => telemetry.IsTimingStoreCalls
        ? TimedAsync("claim", (inner, key, claim, cancellationToken), static call => call.inner.ClaimAsync(call.key, call.claim, call.cancellationToken), static claimed => claimed.IsAcquired ? "acquired" : "held")
        : inner.ClaimAsync(key, claim, cancellationToken);

    public ValueTask<bool> RenewAsync(Sha256Hash key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) => telemetry.IsTimingStoreCalls
        ? TimedAsync("renew", (inner, key, owner, lease, retention, cancellationToken), static call => call.inner.RenewAsync(call.key, call.owner, call.lease, call.retention, call.cancellationToken), DoneOrNot)
        : inner.RenewAsync(key, owner, lease, retention, cancellationToken);

    public ValueTask<bool> CompleteAsync(Sha256Hash key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) => telemetry.IsTimingStoreCalls
        ? TimedAsync("complete", (inner, key, owner, payload, retention, cancellationToken), static call => call.inner.CompleteAsync(call.key, call.owner, call.payload, call.retention, call.cancellationToken), DoneOrNot)
        : inner.CompleteAsync(key, owner, payload, retention, cancellationToken);

    public ValueTask<bool> ReleaseAsync(Sha256Hash key, Guid owner, CancellationToken cancellationToken) => telemetry.IsTimingStoreCalls
        ? TimedAsync("release", (inner, key, owner, cancellationToken), static call => call.inner.ReleaseAsync(call.key, call.owner, call.cancellationToken), DoneOrNot)
        : inner.ReleaseAsync(key, owner, cancellationToken);

    public ValueTask<IdempotencyRecord?> ReadAsync(Sha256Hash key, CancellationToken cancellationToken) => telemetry.IsTimingStoreCalls
        ? TimedAsync("read", (inner, key, cancellationToken), static call => call.inner.ReadAsync(call.key, call.cancellationToken), static record => record is null ? "none" : "found")
        : inner.ReadAsync(key, cancellationToken);

    public ValueTask<bool> DeleteAsync(Sha256Hash key, CancellationToken cancellationToken) => telemetry.IsTimingStoreCalls
        ? TimedAsync("delete", (inner, key, cancellationToken), static call => call.inner.DeleteAsync(call.key, call.cancellationToken), static wasThere => wasThere ? "done" : "none")
        : inner.DeleteAsync(key, cancellationToken);

    private static string DoneOrNot(bool wasOwned) => wasOwned ? "done" : "not-owned";

    // The arguments as a value: a closure would be made for every call, timed or not. The real clock: a duration is measured, not simulated.
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
}
