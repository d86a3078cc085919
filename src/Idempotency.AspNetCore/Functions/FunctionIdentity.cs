namespace Idempotency.AspNetCore;

/// <summary>Identifies a function call: the key of its record (the stored key), and the content that a duplicate must repeat (the fingerprint).</summary>
internal static class FunctionIdentity
{
    // As in RequestIdentity: part of the stored format. The high bit separates both from those of requests.
    private const byte KeyVersion = 0x81;
    private const byte FingerprintVersion = 0x81;
    private const byte SelectedFingerprintVersion = 0x82;

    private const byte Shared = 0;
    private const byte Custom = 1;

    private const byte FromText = 1;
    private const byte FromPayload = 2;
    private const byte FromSelection = 3;

    /// <summary>SHA-256 of the partition, operation and key of a call. Layout: version, tagged partition, operation, source of the key, key. See <see cref="PooledBytes.AddPart(ReadOnlySpan{char})"/>.</summary>
    public static StoreKey StoreKeyOf(string operation, IdempotentCallKey key, string? partition) =>
        StoreKeyOf(operation, key.Payload is null ? FromText : FromPayload, key.Text ?? "", partition);

    /// <summary>The stored key of a call whose key was selected.</summary>
    public static StoreKey StoreKeyOfSelection(string operation, string selected, string? partition) => StoreKeyOf(operation, FromSelection, selected, partition);

    private static StoreKey StoreKeyOf(string operation, byte source, string key, string? partition)
    {
        var input = new PooledBytes(512);
        try
        {
            input.Add(KeyVersion);
            input.Add(partition is null ? Shared : Custom);
            input.AddPart(partition ?? "");
            input.AddPart(operation);
            input.Add(source);
            input.AddPart(key);
            return new(Sha256Hash.Of(input.Written));
        }
        finally
        {
            input.Dispose();
        }
    }

    /// <summary>SHA-256 of the payload: version, then the hash of its canonical form. Without a payload, a value that no payload has.</summary>
    public static Fingerprint FingerprintOf(IdempotentPayload? payload, IdempotencyPolicy policy) =>
        payload is null || policy.Fingerprint == RequestFingerprintMode.None ? default : FingerprintOf(FingerprintVersion, payload.Key);

    /// <summary>The fingerprint if a selector is used: of the hash of the selected values, or of nothing if nothing was selected.</summary>
    public static Fingerprint FingerprintOfSelection(string? selected) => FingerprintOf(SelectedFingerprintVersion, selected ?? "");

    private static Fingerprint FingerprintOf(byte version, string content)
    {
        var input = new PooledBytes(256);
        try
        {
            input.Add(version);
            input.AddPart(content);
            return new(Sha256Hash.Of(input.Written));
        }
        finally
        {
            input.Dispose();
        }
    }
}
