using System.Threading.Channels;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Holds a handler until the test opens it, and tells the test that it is there.</summary>
public sealed class Gate
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
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

    /// <summary>Lets everybody through, now and later.</summary>
    public void Open() => _opened.TrySetResult();
}
