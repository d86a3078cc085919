namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Waits for what others bring about: looks again until it is so, and not for ever.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    public static async Task<T> GetAsync<T>(Func<Task<T>> look, Func<T, bool> isSo, TimeSpan? patience = null)
    {
        using var deadline = new CancellationTokenSource(patience ?? Patience);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(25));
        while (true)
        {
            var seen = await look();
            if (isSo(seen))
            {
                return seen;
            }

            Assert.False(deadline.IsCancellationRequested, $"Not within {(patience ?? Patience).TotalSeconds} s; the last seen was {seen}.");
            await tick.WaitForNextTickAsync();
        }
    }

    public static Task BeSoAsync(Func<bool> look) => GetAsync(() => Task.FromResult(look()), isSo => isSo);
}
