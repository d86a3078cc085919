namespace Idempotency.AspNetCore;

/// <summary>Inspects and deletes records, for operators. Available from dependency injection after <c>AddIdempotency()</c>.</summary>
/// <remarks>
/// A record is identified by its stored key, which log events and spans contain, or by the values that the client of a request knows
/// (<see cref="StoreKeyOf"/>).
/// </remarks>
public interface IIdempotencyRecords
{
    /// <summary>Computes the key that a request's record is stored under.</summary>
    /// <exception cref="ArgumentException">The method, the path or the key is empty, or the key is not valid.</exception>
    StoreKey StoreKeyOf(IdempotencyRecordQuery request);

    /// <summary>Reads a record from the store, bypassing the local cache. Null if there is none.</summary>
    /// <exception cref="IdempotencyRecordUnreadableException">The record exists but cannot be read.</exception>
    Task<IdempotencyRecordView?> FindAsync(StoreKey storeKey, CancellationToken cancellationToken = default);

    /// <summary>
    /// Deletes a record in any state from the store and from the local cache of this process: the next request with its key runs.
    /// A handler that is running under the record loses its claim. Another server that has replayed the response can have it in its local cache
    /// and replay it until it expires there.
    /// </summary>
    /// <returns>Whether there was a record.</returns>
    Task<bool> ForgetAsync(StoreKey storeKey, CancellationToken cancellationToken = default);

    /// <summary>Whether the store can list abandoned claims (<see cref="IAbandonedClaimSource"/>).</summary>
    bool CanListAbandoned { get; }

    /// <summary>Lists abandoned claims, in no particular order. Whether their requests took effect is unknown until a retry.</summary>
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
