namespace Idempotency.AspNetCore;

/// <summary>For operators: look at the record of a request, and forget it. From dependency injection, after <c>AddIdempotency()</c>.</summary>
/// <remarks>
/// A record is named by its stored key, which log events and spans carry, or by what a client knows of its request
/// (<see cref="StoreKeyOf"/>).
/// </remarks>
public interface IIdempotencyRecords
{
    /// <summary>The key a request's record is stored under.</summary>
    /// <exception cref="ArgumentException">It names no request: the method, the path or the key is empty.</exception>
    StoreKey StoreKeyOf(IdempotencyRecordQuery request);

    /// <summary>Reads a record from the store, past the local cache. Null when there is none.</summary>
    /// <exception cref="IdempotencyRecordUnreadableException">There is one, but it cannot be read.</exception>
    Task<IdempotencyRecordView?> FindAsync(StoreKey storeKey, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes a record whatever its state, from the store and from this process's local cache: the next request with its key runs.
    /// A handler that runs under it finds its claim lost. Another server that has replayed the answer may have it in its own local cache
    /// and go on replaying it until it expires there.
    /// </summary>
    /// <returns>Whether there was one.</returns>
    Task<bool> ForgetAsync(StoreKey storeKey, CancellationToken cancellationToken = default);

    /// <summary>Whether the store can list abandoned claims (<see cref="IAbandonedClaimSource"/>).</summary>
    bool CanListAbandoned { get; }

    /// <summary>Claims whose owners vanished, in no particular order: requests whose outcome is unknown until somebody retries them.</summary>
    /// <exception cref="NotSupportedException">The store cannot list them.</exception>
    IAsyncEnumerable<AbandonedClaim> ListAbandonedAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// The claims that this process holds, the longest-running first: those that the metric <c>idempotency.claims.active</c> counts. A run whose transaction holds the only right to write to the
    /// store's database (SQLite) is not among them, because its lease is not renewed. The store is not called.
    /// </summary>
    IReadOnlyList<RunningClaim> ListRunning();

    /// <summary>
    /// What happened in this process and should be looked at by a person, the latest first: at most 100 incidents, since the process started. Forgetting a record removes its incidents. The store is
    /// not called.
    /// </summary>
    IReadOnlyList<IdempotencyIncident> ListIncidents();
}
