namespace Idempotency.AspNetCore;

/// <summary>Stores records. Implement it to use a different storage, and register it with <c>AddIdempotency().AddStore&lt;TStore&gt;()</c>.</summary>
/// <remarks>
/// <para>A store has one record per key and eight operations on it. Each operation is atomic with respect to the others on the same key, on
/// all servers that share the store. A store does not interpret records: it never reads a payload, and checks only the
/// conditions that are stated here.</para>
/// <para>States: a record is <see cref="IdempotencyRecordStatus.InProgress"/> (with an owner and a lease) or
/// <see cref="IdempotencyRecordStatus.Completed"/> (with a payload and a retention). A completed record is gone when its retention has ended; a record in progress is
/// gone when its lease <em>and then</em> its retention have ended. Every operation treats a record that is gone as not existing,
/// whether or not it has been removed physically. The end of a retention never removes a live claim.</para>
/// <para>Time: the store uses its own clock, one for all servers if the engine has one.</para>
/// <para>Errors: if the engine is unavailable, throw the exception of the client library; the request is rejected with 503, and nothing runs.
/// Throw <see cref="IdempotencyRecordUnreadableException"/> for a record that exists but cannot be read. Operations with an owner can be
/// repeated after a failure with an unknown outcome; the library does so.</para>
/// <para>Implementations are singletons and are called concurrently. The conformance tests check every rule on this page.</para>
/// </remarks>
public interface IIdempotencyStore
{
    /// <summary>
    /// The maximum size of a payload, in bytes. A larger payload is not passed to the store: the record completes without the response body, and
    /// retries are rejected with 409. Default: no limit.
    /// </summary>
    int MaxPayloadSize => int.MaxValue;

    /// <summary>
    /// Payloads with a response body of at least this many bytes are compressed if they become smaller. Default: 1024, for a store
    /// in the network. <see cref="int.MaxValue"/> turns compression off.
    /// </summary>
    int CompressionThreshold => 1024;

    /// <summary>Claims a key: one conditional write, one round trip.</summary>
    /// <remarks>
    /// <para>Without <see cref="IdempotencyClaim.Supersedes"/>, the claim is taken if there is no record, or the record is gone. With it, the claim is taken only if
    /// the record is in progress, its lease has ended, it is not marked (<see cref="MarkEffectsStartedAsync"/>), and it belongs to the previous attempt of the same request: it has exactly
    /// that owner, the fingerprint of the claim, and an attempt number one less than the claim's. The owner alone is not enough, because all released claims have the owner
    /// <see cref="Guid.Empty"/>.</para>
    /// <para>The steps of a superseded claim (<see cref="SaveStepsAsync"/>) remain and are returned with the acquired claim. If the claim is not taken, nothing is changed, and the existing record,
    /// if any, is returned from the same atomic operation.</para>
    /// </remarks>
    /// <param name="key">The key.</param>
    /// <param name="claim">The record to write.</param>
    /// <param name="cancellationToken">Cancels the wait. It is then unknown whether the claim was taken; the library releases it by its owner.</param>
    ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken);

    /// <summary>
    /// Renews a claim, if it is in progress and owned by <paramref name="owner"/>, even if its lease has ended: the lease becomes <paramref name="lease"/> from now,
    /// and the retention after the lease becomes <paramref name="retention"/>.
    /// </summary>
    /// <returns>Whether the claim was renewed.</returns>
    ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>
    /// Marks a claim: effects of its handler may have started. The condition is that of <see cref="RenewAsync"/>, and the claim is renewed in the
    /// same atomic operation. The mark remains until the record is completed or removed. Nobody can supersede a marked claim.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="owner">The owner of the claim.</param>
    /// <param name="lease">The lease from now. Zero abandons the claim at once; because of the mark, its outcome is then unknown.</param>
    /// <param name="retention">How long the record remains after the lease.</param>
    /// <param name="cancellationToken">Cancels the wait; the library may call again.</param>
    /// <returns>Whether the claim was in progress and owned by the owner.</returns>
    ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>
    /// Saves the steps of a claim, and sets or removes its mark as they say. The condition is that of <see cref="RenewAsync"/>, and the claim is renewed in the same atomic operation. If the record
    /// has steps of the same or a higher version, nothing is changed.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="owner">The owner of the claim.</param>
    /// <param name="steps">All steps of the run so far. They remain until the record is completed or removed, even if the claim is taken over. The memory never changes, so the store can hold a reference to it after the call.</param>
    /// <param name="lease">The lease from now.</param>
    /// <param name="retention">How long the record remains after the lease.</param>
    /// <param name="cancellationToken">Cancels the wait; the library may call again.</param>
    /// <returns>Whether the record was in progress and owned by the owner, regardless of the version of its steps.</returns>
    ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>Completes a claim, if it is in progress and owned by <paramref name="owner"/>, even if its lease has ended: its payload is retained for <paramref name="retention"/> from now.</summary>
    /// <param name="key">The key.</param>
    /// <param name="owner">The owner of the claim.</param>
    /// <param name="payload">The bytes that a read returns later. The memory never changes, so the store can hold a reference to it after the call.</param>
    /// <param name="retention">How long the completed record remains.</param>
    /// <param name="cancellationToken">Cancels the wait; the library may call again.</param>
    /// <returns>Whether the claim was completed.</returns>
    ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>Releases a claim, if it is in progress and owned by <paramref name="owner"/>, even if its lease has ended: the next attempt can claim the key.</summary>
    /// <remarks>
    /// A claim without steps is removed. A claim with steps (<see cref="SaveStepsAsync"/>) remains with its steps for the next attempt: in progress, not marked, with an ended lease and the owner <see cref="Guid.Empty"/>, so that
    /// late calls of its former owner cannot change it. The end of its retention does not change.
    /// </remarks>
    /// <returns>Whether the claim was released.</returns>
    ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken);

    /// <summary>Reads the record, consistently with the last write. Null if there is none, or it is gone.</summary>
    ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken);

    /// <summary>Deletes the record regardless of its state and owner, for operators. The owner of a live claim then loses it.</summary>
    /// <remarks>It is deleted from the store only. Processes with the record in their local cache can still replay it.</remarks>
    /// <returns>Whether there was a record.</returns>
    ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken);
}
