namespace Idempotency.AspNetCore;

/// <summary>Delays between attempts of a store call, from 50 milliseconds to one second, until a deadline.</summary>
internal sealed class Backoff(TimeProvider time, long until)
{
    /// <summary>The first delay.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private TimeSpan _pause = Shortest;

    /// <summary>The delay after a delay.</summary>
    public static TimeSpan Longer(TimeSpan pause) => 2 * pause < Longest ? 2 * pause : Longest;

    /// <summary>Waits before the next attempt.</summary>
    /// <returns>False, immediately, if the deadline has passed.</returns>
    public async ValueTask<bool> NextAsync()
    {
        if (time.Ticks() >= until)
        {
            return false;
        }

        await Task.Delay(_pause, time);
        _pause = Longer(_pause);
        return true;
    }
}
