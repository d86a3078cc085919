namespace Idempotency.AspNetCore.Tests;

/// <summary>How often a duplicate reads the record while another server has the claim.</summary>
public sealed class DuplicateWaitTests
{
    [Fact]
    public async Task It_looks_after_100_then_200_and_then_each_250_milliseconds_until_its_time_is_over()
    {
        var time = new FakeTimeProvider();
        var request = new ClaimRequest(
            new StoreKey(Sha256Hash.Of("key"u8)), new Fingerprint(Sha256Hash.Of("request"u8)), new IdempotencyPolicy { WhenInProgress = InProgressBehavior.Wait, WaitTimeout = TimeSpan.FromSeconds(1.1) });
        using var wait = new DuplicateWait(new DuplicateWaiters(), request, time);
        Assert.True(await wait.NextAsync(default)); // at once, now that it is notified of what ends here
        foreach (var milliseconds in new[] { 100, 200, 250, 250, 250, 50 })
        {
            var next = wait.NextAsync(default).AsTask();
            time.Advance(TimeSpan.FromMilliseconds(milliseconds - 1));
            Assert.False(next.IsCompleted);
            time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.True(await next);
        }

        Assert.False(await wait.NextAsync(default));
    }
}
