namespace Idempotency.AspNetCore;

/// <summary>Where records live. Implement it to keep them elsewhere; register it with <c>AddIdempotency().AddStore&lt;TStore&gt;()</c>.</summary>
/// <remarks>
/// <para>A store keeps one record per key and does eight things to it, each atomically with respect to the others on the same key, on
/// however many servers share it. What a record means is not its business: it never reads a payload, and decides nothing but the
/// conditions stated here.</para>
/// <para>States. A record is <see cref="IdempotencyRecordStatus.InProgress"/> (it has an owner and a lease) or
/// <see cref="IdempotencyRecordStatus.Completed"/> (it has a payload and a retention). It is gone, and every operation treats it as not
/// there, once a completed record's retention is over, or once an in-progress record's lease <em>and then</em> its retention are over;
/// whether it was physically removed does not matter. Retention alone never takes a live claim away.</para>
/// <para>Time is the store's own clock, one for all servers where the engine has one.</para>
/// <para>Failures. Throw whatever the client library throws when the engine cannot be reached: the caller is answered 503 and nothing ran.
/// Throw <see cref="IdempotencyRecordUnreadableException"/> for a record that is there but makes no sense. Operations with an owner may be
/// repeated after a failure whose effect is unknown; the library does so.</para>
/// <para>Implementations are singletons and called concurrently.</para>
/// </remarks>
public interface IIdempotencyStore
{
    /// <summary>
    /// The largest payload a record can hold, in bytes. A larger one is not offered: the record completes without the response body, and
    /// retries are told so. Default: no limit.
    /// </summary>
    int MaxPayloadSize => int.MaxValue;

    /// <summary>
    /// Payloads with a response body of at least this many bytes come compressed when that makes them smaller. Default: 1024, for a store
    /// behind a network. <see cref="int.MaxValue"/> for never.
    /// </summary>
    int CompressionThreshold => 1024;

    /// <summary>Claims a key: one conditional write, one round trip.</summary>
    /// <remarks>
    /// Without <see cref="IdempotencyClaim.Supersedes"/> the claim is taken when there is no record (or it is gone). With it, only when
    /// the record is in progress, owned by exactly that owner, its lease is over, and it is not marked
    /// (<see cref="MarkEffectsStartedAsync"/>); its steps (<see cref="SaveStepsAsync"/>) stay and are returned with the acquired claim. Otherwise nothing is changed and the existing record,
    /// if any, is returned from the same atomic step.
    /// </remarks>
    /// <param name="key">The key.</param>
    /// <param name="claim">The record to write.</param>
    /// <param name="cancellationToken">Gives up waiting. Whether the claim was taken is then unknown; the library releases it by its owner.</param>
    ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken);

    /// <summary>
    /// Extends the lease of a claim to <paramref name="lease"/> from now, and how long it is kept after that to <paramref name="retention"/>, if it is
    /// in progress and still owned by <paramref name="owner"/>, lapsed or not.
    /// </summary>
    /// <returns>Whether it was.</returns>
    ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>
    /// Marks a claim: its handler's effects may have begun. Under the same condition as <see cref="RenewAsync"/>, and it renews as that does, in the
    /// same atomic step. The mark stays until the record is completed or removed; while it is there, nobody can supersede the claim.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="owner">Who claimed it.</param>
    /// <param name="lease">The lease from now on; zero gives the claim up, and with the mark it stays as one whose outcome is unknown.</param>
    /// <param name="retention">How long it is kept after that.</param>
    /// <param name="cancellationToken">Gives up waiting; the library may try again.</param>
    /// <returns>Whether it was the owner's.</returns>
    ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>
    /// Saves the steps of a claim, and marks it or removes its mark as they say. Under the same condition as <see cref="RenewAsync"/>, and it renews as that does, in the same atomic step. When the record
    /// has steps of the same or a higher version, nothing is changed.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="owner">Who claimed it.</param>
    /// <param name="steps">All steps of the run so far. They stay until the record is completed or removed, also when the claim is taken over. Copy the data if it is kept beyond the call in any form but this memory, which is never changed.</param>
    /// <param name="lease">The lease from now on.</param>
    /// <param name="retention">How long the record is kept after that.</param>
    /// <param name="cancellationToken">Gives up waiting; the library may try again.</param>
    /// <returns>Whether the record was in progress and the owner's, whatever the version of its steps.</returns>
    ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>Completes a claim, if it is in progress and still owned by <paramref name="owner"/>, lapsed or not: its payload is kept for <paramref name="retention"/> from now.</summary>
    /// <param name="key">The key.</param>
    /// <param name="owner">Who claimed it.</param>
    /// <param name="payload">What a read returns later, byte for byte. Copy it if it is kept beyond the call in any form but this memory, which is never changed.</param>
    /// <param name="retention">How long the completed record is there.</param>
    /// <param name="cancellationToken">Gives up waiting; the library may try again.</param>
    /// <returns>Whether it was.</returns>
    ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>Releases a claim, if it is in progress and still owned by <paramref name="owner"/>, lapsed or not: the key is free for the next attempt.</summary>
    /// <remarks>
    /// A claim without steps is removed. One with steps (<see cref="SaveStepsAsync"/>) stays, with them, for the next attempt: in progress, not marked, its lease over at once, and its owner <see cref="Guid.Empty"/>, so that
    /// nothing that its owner still sends can change it. How long it is kept does not change.
    /// </remarks>
    /// <returns>Whether it was.</returns>
    ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken);

    /// <summary>Reads the record, consistently with what was written last. Null when there is none, or it is gone.</summary>
    ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken);

    /// <summary>Removes the record whatever its state and owner: for operators. The owner of a live claim then finds it lost.</summary>
    /// <remarks>It removes from the store. A process that has replayed the record may have it in its local cache and go on replaying it.</remarks>
    /// <returns>Whether there was one.</returns>
    ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken);
}
