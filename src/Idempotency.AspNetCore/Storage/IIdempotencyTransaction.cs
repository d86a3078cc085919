namespace Idempotency.AspNetCore;

/// <summary>The transaction of one run of a handler: its effects and its record, both or neither.</summary>
/// <remarks>Disposing it rolls back what is not committed, and takes what the handler had in mind out of the unit of work, so that the scope can go on (with an error page, or with another attempt). Disposing never throws.</remarks>
public interface IIdempotencyTransaction : IAsyncDisposable
{
    /// <summary>
    /// Whether the store takes other writes while this transaction is open. Where it does not (SQLite has one writer), claims of others wait for its end,
    /// renewals are neither possible nor needed, and effects outside the database cannot be marked as begun.
    /// </summary>
    bool AllowsOtherWriters { get; }

    /// <summary>
    /// Asked when it is disposed of: whether the handler has ended it by itself, so that some of what it wrote may be committed without a record. Such a handler is not run again, however its run ended.
    /// False where nothing can be committed, as when its connection was lost.
    /// </summary>
    bool WasEndedByHandler { get; }

    /// <summary>
    /// Completes the record if it is still in progress and <paramref name="owner"/>'s, exactly as <see cref="IIdempotencyStore.CompleteAsync"/> does but in this transaction,
    /// and commits. Called at most once.
    /// </summary>
    /// <param name="key">The stored key.</param>
    /// <param name="owner">Whose claim it must be.</param>
    /// <param name="payload">The record's payload.</param>
    /// <param name="retention">How long it is retained from now.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>True: both are committed. False: the claim is not ours, and everything was rolled back.</returns>
    /// <exception cref="InvalidOperationException">The handler has ended the transaction by itself or gone on after the database had given it up, or the database refuses to commit what it wrote: nothing is recorded, and nothing will be. It is the handler's failure, and is told like one.</exception>
    /// <exception cref="Exception">Anything else: whether it is committed is not known, unless <see cref="IsConflict"/> says so. The caller asks the store.</exception>
    ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>Whether an exception, of the handler or of <see cref="CompleteAsync"/>, says that the database has undone the transaction in favour of another (a serialization failure, a deadlock): nothing is done, and the same again may succeed.</summary>
    bool IsConflict(Exception exception);
}
