namespace Idempotency.AspNetCore.Tests;

/// <summary>Waits for what others bring about: polls until a condition holds, and fails at a deadline that no machine needs.</summary>
public static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Until a condition holds.</summary>
    /// <param name="condition">The condition.</param>
    /// <param name="what">Its name, for the message when it does not come to hold.</param>
    /// <param name="patience">The deadline; a minute by default.</param>
    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? patience = null) => TrueAsync(() => Task.FromResult(condition()), what, patience);

    /// <summary>The same, where looking takes time.</summary>
    public static Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? patience = null) => GetAsync(condition, isSo => isSo, what, patience);

    /// <summary>Until what is seen is as it should be.</summary>
    /// <returns>What was seen last.</returns>
    public static async Task<T> GetAsync<T>(Func<Task<T>> look, Func<T, bool> isSo, string? what = null, TimeSpan? patience = null)
    {
        var longest = patience ?? Patience;
        using var deadline = new CancellationTokenSource(longest);
        using var tick = new PeriodicTimer(Pause);
        while (true)
        {
            var seen = await look();
            if (isSo(seen))
            {
                return seen;
            }

            Assert.False(deadline.IsCancellationRequested, $"Not within {longest.TotalSeconds} s: {what ?? "what was waited for"}. The last seen was {seen}.");
            await tick.WaitForNextTickAsync();
        }
    }
}
