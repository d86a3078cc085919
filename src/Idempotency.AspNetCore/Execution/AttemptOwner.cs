using System.Buffers.Binary;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace Idempotency.AspNetCore;

/// <summary>Creates the owner of a claim: a value that no other attempt has, on any server.</summary>
internal static class AttemptOwner
{
    /// <remarks>
    /// The value identifies attempts and is not secret, so it does not come from the operating system's generator, whose call costs more than an in-memory
    /// claim. It has 128 bits from a generator that the runtime seeds from the system for each thread, combined with the time, because a
    /// process that is restored from a snapshot repeats its generators.
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
