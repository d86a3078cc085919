namespace Idempotency.AspNetCore;

/// <summary>Pauses between tries of a store call, from 50 milliseconds to a second, until a moment.</summary>
internal sealed class Backoff(TimeProvider time, long until)
{
    /// <summary>The first pause.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private TimeSpan _pause = Shortest;

    /// <summary>The pause after a pause.</summary>
    public static TimeSpan Longer(TimeSpan pause) => 2 * pause < Longest ? 2 * pause : Longest;

    /// <summary>Pauses before another try.</summary>
    /// <returns>False, at once: the time is up.</returns>
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
