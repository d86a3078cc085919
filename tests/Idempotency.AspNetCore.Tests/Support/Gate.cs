using System.Threading.Channels;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Holds a handler until the test opens it, and tells the test that it is there.</summary>
internal sealed class Gate
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private readonly Channel<bool> _arrivals = Channel.CreateUnbounded<bool>();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>In the handler: say that we are here, and wait.</summary>
    public async Task PassAsync()
    {
        _arrivals.Writer.TryWrite(true);
        await _opened.Task.WaitAsync(Deadline);
    }

    /// <summary>In the test: until somebody is there.</summary>
    public Task ArrivedAsync() => _arrivals.Reader.ReadAsync().AsTask().WaitAsync(Deadline);

    public void Open() => _opened.TrySetResult();
}

internal static class Eventually
{
    /// <summary>Polls until a condition holds, or fails at a deadline.</summary>
    public static Task TrueAsync(Func<bool> condition, string what) => TrueAsync(() => Task.FromResult(condition()), what);

    /// <summary>The same, where looking takes time.</summary>
    public static async Task TrueAsync(Func<Task<bool>> condition, string what)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!await condition())
        {
            try
            {
                await tick.WaitForNextTickAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"not within 30 seconds: {what}");
            }
        }
    }
}
