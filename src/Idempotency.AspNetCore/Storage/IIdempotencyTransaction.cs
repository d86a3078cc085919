namespace Idempotency.AspNetCore;

/// <summary>The transaction of one run of a handler. Either its effects and its record are both committed, or neither is.</summary>
/// <remarks>Disposing of it rolls back uncommitted changes and removes pending changes of the handler from the unit of work, so that the scope can continue to be used (for an error page, or another
/// attempt). Disposing never throws.</remarks>
public interface IIdempotencyTransaction : IAsyncDisposable
{
    /// <summary>
    /// Whether the store accepts other writes while this transaction is open. If not (SQLite allows one writer), other claims wait for its end,
    /// renewals are neither possible nor needed, and the start of effects outside the database cannot be recorded.
    /// </summary>
    bool AllowsOtherWriters { get; }

    /// <summary>
    /// Read when the transaction is disposed of: whether the handler ended it itself, so that some of its writes may be committed without a record. Such a handler is not run again, regardless of how its run ended.
    /// False if nothing can be committed, for example because the connection was lost.
    /// </summary>
    bool WasEndedByHandler { get; }

    /// <summary>
    /// Completes the record in this transaction, if it is in progress and owned by <paramref name="owner"/>, as <see cref="IIdempotencyStore.CompleteAsync"/> does,
    /// and commits. Called at most once.
    /// </summary>
    /// <param name="key">The stored key.</param>
    /// <param name="owner">The owner of the claim.</param>
    /// <param name="payload">The payload of the record.</param>
    /// <param name="retention">How long the record is retained from now.</param>
    /// <param name="cancellationToken">Cancels the attempt.</param>
    /// <returns>True: both are committed. False: the claim is not ours, and everything was rolled back.</returns>
    /// <exception cref="InvalidOperationException">The handler ended the transaction itself or continued after the database had aborted it, or the database does not commit the handler's writes.
    /// Nothing is recorded, now or later. The exception is treated as one of the handler.</exception>
    /// <exception cref="Exception">Any other exception: it is not known whether the transaction was committed, unless <see cref="IsConflict"/> returns true. The caller reads the record.</exception>
    ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>Whether an exception of the handler or of <see cref="CompleteAsync"/> means that the database rolled back the transaction because of a conflict (a serialization failure or a
    /// deadlock): nothing was changed, and a retry can succeed.</summary>
    bool IsConflict(Exception exception);
}
