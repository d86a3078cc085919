using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;

namespace Idempotency.AspNetCore;

/// <summary>Common to all record formats: a checksum at the end, and content that is compressed when it becomes smaller.</summary>
internal static class RecordBytes
{
    public const int ChecksumSize = sizeof(uint);

    /// <summary>The longest content that a reader accepts: the maximum that a policy allows.</summary>
    public const int LongestContent = int.MaxValue / 4;

    /// <summary>Returns an array with the head, the content, and the CRC-32C of both (little-endian).</summary>
    public static byte[] Seal(ReadOnlySpan<byte> head, ReadOnlySpan<byte> content)
    {
        var payload = GC.AllocateUninitializedArray<byte>(head.Length + content.Length + ChecksumSize);
        head.CopyTo(payload);
        content.CopyTo(payload.AsSpan(head.Length));
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(payload.Length - ChecksumSize), Checksum(payload.AsSpan(0, payload.Length - ChecksumSize)));
        return payload;
    }

    /// <summary>Whether the last four bytes are the checksum of the bytes before them.</summary>
    public static bool IsSealed(ReadOnlySpan<byte> payload) =>
        payload.Length >= ChecksumSize && BinaryPrimitives.ReadUInt32LittleEndian(payload[^ChecksumSize..]) == Checksum(payload[..^ChecksumSize]);

    /// <summary>Compresses content with Brotli (RFC 7932) if it is long enough and becomes smaller.</summary>
    /// <param name="content">The content.</param>
    /// <param name="from">The minimum length to compress, in bytes.</param>
    /// <param name="compressed">Receives the compressed bytes. The caller disposes of it in every case.</param>
    public static bool TryCompress(ReadOnlySpan<byte> content, int from, ref PooledBytes compressed)
    {
        if (content.Length < from)
        {
            return false;
        }

        compressed = new PooledBytes(content.Length);
        // Fast settings, because a caller is waiting. Below 10% saved, decompression costs more than it gains.
        if (!BrotliEncoder.TryCompress(content, compressed.Room(content.Length)[..(content.Length - (content.Length / 10))], out var written, quality: 1, window: 18))
        {
            return false;
        }

        compressed.Advance(written);
        return true;
    }

    /// <summary>Decompresses content, or returns null if it cannot be read.</summary>
    public static ReadOnlyMemory<byte>? Decompress(ReadOnlySpan<byte> compressed, int length)
    {
        var content = GC.AllocateUninitializedArray<byte>(length);
        return BrotliDecoder.TryDecompress(compressed, content, out var written) ? content.AsMemory(0, written) : null;
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (var value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return ~crc;
    }
}
