using System.Buffers.Binary;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace Idempotency.AspNetCore;

/// <summary>Names the owner of a claim: a value that no other attempt has, on any server.</summary>
internal static class AttemptOwner
{
    /// <remarks>
    /// It tells attempts apart and keeps no secret, so it need not come from the system's generator, whose call costs more than the claim in
    /// memory it would be for. 128 bits of a generator that the runtime seeds from the system for each thread; and the time, because a
    /// process restored from a snapshot repeats its generators, but not the moment.
    /// </remarks>
    [SuppressMessage("Security", "CA5394:Do not use insecure randomness", Justification = "It is unique, not secret.")]
    public static Guid New()
    {
        Span<byte> bytes = stackalloc byte[16];
        Random.Shared.NextBytes(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes, BinaryPrimitives.ReadInt64LittleEndian(bytes) ^ Stopwatch.GetTimestamp());
        return new Guid(bytes);
    }
}
