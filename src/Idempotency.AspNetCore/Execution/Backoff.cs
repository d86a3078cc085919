namespace Idempotency.AspNetCore;

/// <summary>Pauses between tries of a store call, from 50 milliseconds to a second, until a moment.</summary>
internal sealed class Backoff(TimeProvider time, long until)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private TimeSpan _pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Pauses before another try.</summary>
    /// <returns>False, at once: the time is up.</returns>
    public async ValueTask<bool> NextAsync()
    {
        if (time.Ticks() >= until)
        {
            return false;
        }

        await Task.Delay(_pause, time);
        _pause = 2 * _pause < Longest ? 2 * _pause : Longest;
        return true;
    }
}
