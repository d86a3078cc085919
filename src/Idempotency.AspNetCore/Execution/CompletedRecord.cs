namespace Idempotency.AspNetCore;

/// <summary>A completed record in the memory of this process.</summary>
/// <param name="fingerprint">The fingerprint of its request.</param>
/// <param name="payload">The bytes in the store.</param>
/// <param name="expiresAt">The end of its retention, in ticks; see <see cref="MonotonicTime"/>.</param>
/// <param name="removals">The number of records that operators had deleted when it was read from the store; see <see cref="CompletedRecords.Removals"/>.</param>
/// <param name="isRecorded">Whether the store has it. If not, it is replayed from here until its claim can be taken over.</param>
internal sealed class CompletedRecord(Fingerprint fingerprint, ReadOnlyMemory<byte> payload, long expiresAt, bool isRecorded = true, int removals = 0)
{
    // The cost of an entry in addition to the payload: this object, and the node and dictionary entry of the cache.
    private const int Overhead = 300;

    private IDecodedPayload? _decoded;

    public Fingerprint Fingerprint { get; } = fingerprint;

    public ReadOnlyMemory<byte> Payload { get; } = payload;

    public long ExpiresAt { get; } = expiresAt;

    public bool IsRecorded { get; } = isRecorded;

    public int Removals { get; } = removals;

    /// <summary>The memory it takes, in bytes. It grows when the record is replayed.</summary>
    public long Size => Overhead + Payload.Length + (_decoded?.ExtraBytes ?? 0);

    /// <summary>
    /// The payload in the form that its reader needs, cached with the bytes so that it is decoded once. Two readers may decode it at the same time,
    /// with equal results.
    /// </summary>
    public IDecodedPayload? Decoded
    {
        get => Volatile.Read(ref _decoded);
        set => Volatile.Write(ref _decoded, value);
    }

    /// <summary>A record that the store returned. It is not cached yet: the code that decodes the payload caches it if it is valid.</summary>
    public static CompletedRecord Of(IdempotencyRecord existing, AskedAt asked) =>
        new(existing.Fingerprint, existing.Payload, asked.Plus(existing.RetentionRemaining), removals: asked.Removals);
}
