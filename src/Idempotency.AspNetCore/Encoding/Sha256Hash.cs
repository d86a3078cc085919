using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Idempotency.AspNetCore;

/// <summary>
/// A SHA-256 hash (32 bytes). Stores use hashes as record keys, and fingerprints are hashes of requests. The key and the request cannot be
/// read back from a hash, so a store never sees what a client sent.
/// </summary>
public readonly struct Sha256Hash : IEquatable<Sha256Hash>
{
    /// <summary>The length in bytes: 32.</summary>
    public const int Length = SHA256.HashSizeInBytes;

    // One per thread: for a short input, creating one takes the provider longer than hashing.
    [ThreadStatic]
    private static IncrementalHash? Hasher;

    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    private Sha256Hash(ReadOnlySpan<byte> bytes)
    {
        _a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _c = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        _d = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    /// <summary>Computes the SHA-256 hash of some bytes.</summary>
    public static Sha256Hash Of(ReadOnlySpan<byte> bytes)
    {
        var hasher = Hasher ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> hash = stackalloc byte[Length];
        hasher.AppendData(bytes);
        hasher.GetHashAndReset(hash);
        return new Sha256Hash(hash);
    }

    /// <summary>Reads a hash that was written with <see cref="CopyTo"/>.</summary>
    /// <exception cref="ArgumentException">The input does not have exactly 32 bytes.</exception>
    public static Sha256Hash FromBytes(ReadOnlySpan<byte> bytes) => bytes.Length == Length
        ? new Sha256Hash(bytes)
        : throw new ArgumentException($"A SHA-256 hash has {Length} bytes, but {bytes.Length} were given.", nameof(bytes));

    /// <summary>Parses the format of <see cref="ToString"/>: 64 hexadecimal digits.</summary>
    public static bool TryParse(string? hexadecimal, out Sha256Hash hash)
    {
        hash = default;
        Span<byte> bytes = stackalloc byte[Length];
        if (hexadecimal is not { Length: 2 * Length } || Convert.FromHexString(hexadecimal, bytes, out _, out _) != OperationStatus.Done)
        {
            return false;
        }

        hash = new Sha256Hash(bytes);
        return true;
    }

    /// <summary>Writes the 32 bytes. <see cref="FromBytes"/> reads them.</summary>
    /// <param name="destination">At least 32 bytes.</param>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _a);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _b);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], _c);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], _d);
    }

    /// <summary>Returns 64 hexadecimal digits in lower case.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Length];
        CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    /// <inheritdoc/>
    public bool Equals(Sha256Hash other) => _a == other._a && _b == other._b && _c == other._c && _d == other._d;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Sha256Hash other && Equals(other);

    // Any 32 bits of a SHA-256 make a good hash code, and callers cannot choose them to flood a dictionary.
    /// <inheritdoc/>
    public override int GetHashCode() => (int)_d;

    /// <summary>Whether two hashes are equal.</summary>
    public static bool operator ==(Sha256Hash left, Sha256Hash right) => left.Equals(right);

    /// <summary>Whether two hashes are different.</summary>
    public static bool operator !=(Sha256Hash left, Sha256Hash right) => !left.Equals(right);
}
