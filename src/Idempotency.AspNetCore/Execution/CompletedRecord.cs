namespace Idempotency.AspNetCore;

/// <summary>A completed record in this process.</summary>
/// <param name="fingerprint">The fingerprint of its request.</param>
/// <param name="payload">The bytes in the store.</param>
/// <param name="expiresAt">When its retention is over, in ticks; see <see cref="MonotonicTime"/>.</param>
/// <param name="removals">How many records operators had deleted when the store was asked for it; see <see cref="CompletedRecords.Removals"/>.</param>
/// <param name="isRecorded">Whether the store has it. If not, it is here for as long as nobody else can take its claim over.</param>
internal sealed class CompletedRecord(Fingerprint fingerprint, ReadOnlyMemory<byte> payload, long expiresAt, bool isRecorded = true, int removals = 0)
{
    // What an entry costs beside the payload: this object, the cache's node and dictionary entry.
    private const int Overhead = 300;

    private IDecodedPayload? _decoded;

    public Fingerprint Fingerprint { get; } = fingerprint;

    public ReadOnlyMemory<byte> Payload { get; } = payload;

    public long ExpiresAt { get; } = expiresAt;

    public bool IsRecorded { get; } = isRecorded;

    public int Removals { get; } = removals;

    /// <summary>What it takes in memory, in bytes; more once it has been replayed.</summary>
    public long Size => Overhead + Payload.Length + (_decoded?.ExtraBytes ?? 0);

    /// <summary>
    /// The payload in the form its reader needs, kept beside the bytes so that the work is done once. Two readers at once may both do it:
    /// they come to equal results.
    /// </summary>
    public IDecodedPayload? Decoded
    {
        get => Volatile.Read(ref _decoded);
        set => Volatile.Write(ref _decoded, value);
    }

    /// <summary>A record that the store returned. It is not cached yet: whoever can read the payload does that, when it turns out to make sense.</summary>
    public static CompletedRecord Of(IdempotencyRecord existing, AskedAt asked) =>
        new(existing.Fingerprint, existing.Payload, asked.Plus(existing.RetentionRemaining), removals: asked.Removals);
}
