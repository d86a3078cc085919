using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Claims that may have been taken although their responses were lost. They are released in the background until their leases end.</summary>
/// <remarks>
/// One loop serves all of them, with one attempt at a time while the store is unavailable: an outage rejects many requests, and each leaves a claim here that most likely was never taken.
/// Beyond <see cref="Most"/>, claims are left to their leases.
/// </remarks>
internal sealed class PendingReleases(Func<StoreKey, Guid, ValueTask<bool>> release, DuplicateWaiters waiters, TimeProvider time, ILogger logger)
{
    private const int Most = 10_000;

    private readonly Queue<Claim> _claims = new();
    private readonly Lock _lock = new();
    private bool _isRunning;

    /// <summary>Releases a claim when the store is available. It only affects the owner's own claim.</summary>
    /// <param name="key">The key.</param>
    /// <param name="owner">The owner that may have the claim.</param>
    /// <param name="lease">The duration of the claim.</param>
    /// <param name="first">A call to make before the release, if any.</param>
    public void Add(StoreKey key, Guid owner, TimeSpan lease, Func<ValueTask<bool>>? first = null)
    {
        lock (_lock)
        {
            if (_claims.Count == Most)
            {
                Log.ReleaseFailed(logger, key, null);
                return;
            }

            _claims.Enqueue(new Claim(key, owner, MonotonicTime.After(time.Ticks(), lease), first));
            if (_isRunning)
            {
                return;
            }

            _isRunning = true;
        }

        if (ExecutionContext.IsFlowSuppressed())
        {
            _ = RunAsync();
            return;
        }

        using (ExecutionContext.SuppressFlow()) // it serves other requests too
        {
            _ = RunAsync();
        }
    }

    private async Task RunAsync()
    {
        var pause = Backoff.Shortest;
        while (TryTake(out var claim))
        {
            try
            {
                if (claim.First is { } first)
                {
                    await first();
                }

                await release(claim.Key, claim.Owner);
                waiters.Call(claim.Key);
                pause = Backoff.Shortest;
            }
            catch (Exception exception)
            {
                if (exception is ObjectDisposedException || time.Ticks() >= claim.Until) // the application has stopped, or the lease has ended
                {
                    Log.ReleaseFailed(logger, claim.Key, exception);
                    continue;
                }

                PutBack(claim); // behind the others, whose part of the store may be available
                await Task.Delay(pause, time);
                pause = Backoff.Longer(pause);
            }
        }
    }

    private bool TryTake(out Claim claim)
    {
        lock (_lock)
        {
            return _isRunning = _claims.TryDequeue(out claim);
        }
    }

    private void PutBack(Claim claim)
    {
        lock (_lock)
        {
            _claims.Enqueue(claim);
        }
    }

    private readonly record struct Claim(StoreKey Key, Guid Owner, long Until, Func<ValueTask<bool>>? First);
}
