namespace Idempotency.AspNetCore;

/// <summary>Implemented by stores that can list abandoned claims, in addition to <see cref="IIdempotencyStore"/>.</summary>
public interface IAbandonedClaimSource
{
    /// <summary>
    /// Lists records in progress whose lease has ended and that are not gone, in any order. The call can take long and must not block the store for
    /// other callers. Records that change in the meantime may or may not be listed.
    /// </summary>
    IAsyncEnumerable<AbandonedClaim> ListAbandonedAsync(CancellationToken cancellationToken);
}
