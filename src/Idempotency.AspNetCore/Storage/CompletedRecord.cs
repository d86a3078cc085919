namespace Idempotency.AspNetCore;

/// <summary>A completed record in this process.</summary>
/// <param name="fingerprint">The fingerprint of its request.</param>
/// <param name="payload">The bytes that the store keeps.</param>
/// <param name="expiresAt">When its retention is over, in ticks of the local cache's clock.</param>
/// <param name="removals">How many records had been forgotten when the store was asked for it; see <see cref="LocalCache.Removals"/>.</param>
/// <param name="isRecorded">Whether the store has it. If not, it is here for as long as nobody else can take its claim over.</param>
internal sealed class CompletedRecord(Sha256Hash fingerprint, ReadOnlyMemory<byte> payload, long expiresAt, bool isRecorded = true, int removals = 0)
{
    // What an entry costs beside the payload: this object, the cache's node and dictionary entry.
    private const int Overhead = 300;

    private IDecodedPayload? _decoded;
    private SeenRequest? _request;

    public Sha256Hash Fingerprint { get; } = fingerprint;

    public ReadOnlyMemory<byte> Payload { get; } = payload;

    public long ExpiresAt { get; } = expiresAt;

    public bool IsRecorded { get; } = isRecorded;

    public int Removals { get; } = removals;

    /// <summary>What it takes in memory, in bytes; more once it has been replayed.</summary>
    public long Size => Overhead + Payload.Length + (_decoded?.ExtraBytes ?? 0) + (_request?.Size ?? 0);

    /// <summary>
    /// The payload in the form its reader needs, kept beside the bytes so that the work is done once. Two readers at once may both do it:
    /// they come to equal results.
    /// </summary>
    public IDecodedPayload? Decoded
    {
        get => Volatile.Read(ref _decoded);
        set => Volatile.Write(ref _decoded, value);
    }

    /// <summary>The request it was last replayed to; null before.</summary>
    public SeenRequest? Request
    {
        get => Volatile.Read(ref _request);
        set => Volatile.Write(ref _request, value);
    }
}

/// <summary>A decoded payload that a cache may hold.</summary>
internal interface IDecodedPayload
{
    /// <summary>The memory it takes beside the payload, in bytes.</summary>
    long ExtraBytes { get; }
}
