namespace Idempotency.AspNetCore;

/// <summary>What a store implements beside <see cref="IIdempotencyStore"/> when it can list claims whose owners vanished.</summary>
public interface IAbandonedClaimSource
{
    /// <summary>
    /// In-progress records whose lease is over and that are not gone, in any order. It may take long and must not block the store for
    /// others; what changes meanwhile may be missed or told of.
    /// </summary>
    IAsyncEnumerable<AbandonedClaim> ListAbandonedAsync(CancellationToken cancellationToken);
}
