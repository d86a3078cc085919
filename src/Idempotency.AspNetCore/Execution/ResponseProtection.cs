using Microsoft.AspNetCore.DataProtection;

namespace Idempotency.AspNetCore;

/// <summary>Encrypts and authenticates recorded responses with the application's Data Protection keys.</summary>
/// <remarks>
/// The protected content is the stored key (32 bytes) followed by the payload, so that a record cannot be moved to another key. Data Protection
/// includes the id of its key, so keys can be rotated: older keys still decrypt. The overhead is about 110 bytes.
/// </remarks>
internal sealed class ResponseProtection(IDataProtectionProvider provider, ResponseProtectionOptions options)
{
    /// <summary>The maximum overhead of protection, in bytes: more than any of its algorithms needs.</summary>
    public const int MaxOverhead = 512;

    // All data from Data Protection starts with these bytes; no payload of ours does.
    private static ReadOnlySpan<byte> Magic => [0x09, 0xF0, 0xC9, 0xF0];

    private readonly IDataProtector _protector = provider.CreateProtector("Idempotency.AspNetCore.Response.v1");

    public byte[] Protect(StoreKey key, ReadOnlySpan<byte> payload)
    {
        var plain = new byte[Sha256Hash.Length + payload.Length];
        key.Hash.CopyTo(plain);
        payload.CopyTo(plain.AsSpan(Sha256Hash.Length));
        return _protector.Protect(plain);
    }

    /// <exception cref="IdempotencyRecordUnreadableException">It was modified, moved, protected with keys that no longer exist, or not protected at all.</exception>
    public ReadOnlyMemory<byte> Unprotect(StoreKey key, ReadOnlyMemory<byte> payload)
    {
        if (!payload.Span.StartsWith(Magic))
        {
            return options.AcceptUnprotected ? payload : throw new IdempotencyRecordUnreadableException("its response is not protected: it was recorded before ProtectResponses() was added, or by another application. To accept earlier records until they expire, set ResponseProtectionOptions.AcceptUnprotected");
        }

        byte[] plain;
        try
        {
            plain = _protector.Unprotect(payload.ToArray());
        }
        catch (Exception exception)
        {
            // Whatever a provider throws: the record exists and stands for an effect. That differs from a store that is unavailable.
            throw new IdempotencyRecordUnreadableException("its response was modified, or was protected with Data Protection keys that this application cannot access", exception);
        }

        return plain.Length >= Sha256Hash.Length && Sha256Hash.FromBytes(plain.AsSpan(0, Sha256Hash.Length)) == key.Hash
            ? plain.AsMemory(Sha256Hash.Length)
            : throw new IdempotencyRecordUnreadableException("its response belongs to another record");
    }
}
