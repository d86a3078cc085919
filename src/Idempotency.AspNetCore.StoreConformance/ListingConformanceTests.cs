namespace Idempotency.AspNetCore;

/// <summary>The conformance tests for a store that can list abandoned claims too (<see cref="IAbandonedClaimSource"/>).</summary>
public abstract class ListingConformanceTests : StoreConformanceTests
{
    [Fact]
    public async Task It_lists_abandoned_claims_and_no_others()
    {
        var (abandoned, marked, running, done, gone) = (NewKey(), NewKey(), NewKey(), NewKey(), NewKey());
        await ClaimedAsync(abandoned, lease: Brief);
        var markedClaim = await ClaimedAsync(marked);
        await Store.MarkEffectsStartedAsync(marked, markedClaim.Owner, TimeSpan.Zero, Hour, default);
        await ClaimedAsync(running);
        var doneClaim = await ClaimedAsync(done);
        await Store.CompleteAsync(done, doneClaim.Owner, new byte[] { 1 }, Hour, default);
        await ClaimedAsync(gone, lease: TimeSpan.FromMilliseconds(1), retention: TimeSpan.FromMilliseconds(1));
        await PassAsync(Longer);
        var mine = new HashSet<StoreKey> { abandoned, marked, running, done, gone };
        var listed = new List<AbandonedClaim>();
        await foreach (var claim in ((IAbandonedClaimSource)Store).ListAbandonedAsync(default))
        {
            if (mine.Contains(claim.StoreKey))
            {
                listed.Add(claim);
            }
        }

        Assert.Equal(new HashSet<StoreKey> { abandoned, marked }, listed.Select(claim => claim.StoreKey).ToHashSet());
        Assert.All(listed, claim => Assert.True(claim is { Attempt: 1 } && claim.SinceLeaseEnd >= TimeSpan.Zero));
        Assert.Equal(2, listed.Count);
    }
}
