namespace Idempotency.AspNetCore;

/// <summary>The wait of one duplicate for the first request, for at most <see cref="IdempotencyPolicy.WaitTimeout"/>.</summary>
internal sealed class DuplicateWait(DuplicateWaiters waiters, ClaimRequest request, TimeProvider time) : IDisposable
{
    // The time between reads while another server has the claim, because nothing in this process reports its end. Short, because a read is cheap and the client is waiting.
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestLook = TimeSpan.FromMilliseconds(250);

    private readonly long _giveUpAt = MonotonicTime.After(time.Ticks(), request.Policy.WaitTimeout);
    private DuplicateWaiters.Ticket? _ticket;
    private TimeSpan _nextLook = FirstLook;

    /// <summary>Whether it is waiting at the moment, rather than calling the store.</summary>
    public bool IsWaiting { get; private set; }

    /// <summary>Waits until the record should be read again.</summary>
    /// <returns>False if the wait has timed out.</returns>
    /// <exception cref="OperationCanceledException">The client disconnected.</exception>
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
            return true; // read once more, now that no notification can be missed
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

    /// <returns>Whether the waiter was notified.</returns>
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
