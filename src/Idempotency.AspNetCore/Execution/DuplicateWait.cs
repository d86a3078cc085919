namespace Idempotency.AspNetCore;

/// <summary>One duplicate's wait for the first request, at most <see cref="IdempotencyPolicy.WaitTimeout"/> long.</summary>
internal sealed class DuplicateWait(DuplicateWaiters waiters, ClaimRequest request, TimeProvider time) : IDisposable
{
    // Between looks at a claim of another server, whose end nobody here reports. Short, because a look is one read and the client is waiting.
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestLook = TimeSpan.FromMilliseconds(250);

    private readonly long _giveUpAt = MonotonicTime.After(time.Ticks(), request.Policy.WaitTimeout);
    private DuplicateWaiters.Ticket? _ticket;
    private TimeSpan _nextLook = FirstLook;

    /// <summary>Whether it is waiting at this moment, rather than asking the store.</summary>
    public bool IsWaiting { get; private set; }

    /// <summary>Waits until it is worth looking at the record again.</summary>
    /// <returns>False: the time is up.</returns>
    /// <exception cref="OperationCanceledException">The client has left.</exception>
    public async ValueTask<bool> NextAsync(CancellationToken waiting)
    {
        var left = MonotonicTime.Until(_giveUpAt, time.Ticks());
        if (left == TimeSpan.Zero)
        {
            return false;
        }

        if (_ticket is null)
        {
            _ticket = waiters.Enter(request.Key);
            return true; // look once more, now that no call can be missed
        }

        IsWaiting = true;
        var wasCalled = await WaitAsync(_ticket, _nextLook < left ? _nextLook : left, waiting);
        IsWaiting = false;
        if (wasCalled)
        {
            waiters.Leave(_ticket);
            _ticket = waiters.Enter(request.Key);
            _nextLook = FirstLook;
        }
        else
        {
            _nextLook = 2 * _nextLook < LongestLook ? 2 * _nextLook : LongestLook;
        }

        return true;
    }

    public void Dispose()
    {
        if (_ticket is not null)
        {
            waiters.Leave(_ticket);
        }
    }

    /// <returns>Whether the ticket was called.</returns>
    private async Task<bool> WaitAsync(DuplicateWaiters.Ticket ticket, TimeSpan longest, CancellationToken waiting)
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
}
