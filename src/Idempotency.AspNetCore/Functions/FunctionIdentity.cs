namespace Idempotency.AspNetCore;

/// <summary>Which call of a function this is: where its record is kept (the stored key), and what a repetition must equal (the fingerprint).</summary>
internal static class FunctionIdentity
{
    // As in RequestIdentity: part of what stores keep. The high bit keeps both apart from those of requests for ever.
    private const byte KeyVersion = 0x81;
    private const byte FingerprintVersion = 0x81;
    private const byte SelectedFingerprintVersion = 0x82;

    private const byte Shared = 0;
    private const byte Custom = 1;

    private const byte FromText = 1;
    private const byte FromPayload = 2;
    private const byte FromSelection = 3;

    /// <summary>SHA-256 of a call's partition, operation and key. Layout: version, tagged partition, operation, source of the key, key. See <see cref="PooledBytes.AddPart(ReadOnlySpan{char})"/>.</summary>
    public static StoreKey StoreKeyOf(string operation, IdempotentCallKey key, string? partition) =>
        StoreKeyOf(operation, key.Payload is null ? FromText : FromPayload, key.Text ?? "", partition);

    /// <summary>The same of a call whose key was selected.</summary>
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

    /// <summary>SHA-256 of the payload to validate: version, then the hash of its canonical form. Without one: nothing, which no payload equals.</summary>
    public static Fingerprint FingerprintOf(IdempotentPayload? payload, IdempotencyPolicy policy) =>
        payload is null || policy.Fingerprint == RequestFingerprintMode.None ? default : FingerprintOf(FingerprintVersion, payload.Key);

    /// <summary>The same where a selector says what counts: the hash of what it selects, or nothing where it selects nothing.</summary>
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
