using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Idempotency.AspNetCore;

/// <summary>Collects bytes in a pooled array: the input of one hash, so that the hash function is called once, or the head of a record.</summary>
internal ref struct PooledBytes
{
    private byte[] _bytes;

    public PooledBytes(int capacity)
    {
        _bytes = ArrayPool<byte>.Shared.Rent(capacity);
    }

    public int Length { get; private set; }

    public readonly ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Returns space for at least this many bytes. Call <see cref="Advance"/> with the number of bytes written.</summary>
    public Span<byte> Room(int size)
    {
        if (_bytes.Length - Length < size)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(Length + size, 2 * _bytes.Length));
            Written.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }

        return _bytes.AsSpan(Length);
    }

    public void Advance(int count) => Length += count;

    /// <summary>Removes everything after a length.</summary>
    public void RollBackTo(int length) => Length = length;

    public void Add(byte value)
    {
        Room(1)[0] = value;
        Length++;
    }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        Length += bytes.Length;
    }

    /// <summary>Adds a part that cannot run into its neighbors: its length in bytes (32 bits, little-endian), then its characters in UTF-16.</summary>
    /// <remarks>Not UTF-8, which replaces every lone surrogate with the same character and so would make two texts equal.</remarks>
    public void AddPart(ReadOnlySpan<char> text) => AddPart(MemoryMarshal.AsBytes(text));

    /// <summary>Adds such a part of bytes.</summary>
    public void AddPart(ReadOnlySpan<byte> bytes)
    {
        BinaryPrimitives.WriteInt32LittleEndian(Room(sizeof(int)), bytes.Length);
        Length += sizeof(int);
        Add(bytes);
    }

    /// <summary>Adds a non-negative number in as few bytes as it needs: seven bits per byte, low bits first; the eighth bit is set when more bytes follow.</summary>
    public void AddVarint(int value)
    {
        var rest = (uint)value;
        while (rest >= 0x80)
        {
            Add((byte)(rest | 0x80));
            rest >>= 7;
        }

        Add((byte)rest);
    }

    /// <summary>Adds a text: the length of its UTF-8 bytes as a varint, then the bytes.</summary>
    public void AddText(string text)
    {
        AddVarint(Encoding.UTF8.GetByteCount(text));
        Length += Encoding.UTF8.GetBytes(text, Room(Encoding.UTF8.GetMaxByteCount(text.Length)));
    }

    public readonly void Dispose()
    {
        if (_bytes is not null)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
        }
    }
}
