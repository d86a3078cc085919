using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Idempotency.AspNetCore;

/// <summary>Bytes that are gathered in a pooled array: the input of one hash, so that the hash function is called once, or the head of a record.</summary>
internal ref struct PooledBytes
{
    private byte[] _bytes;

    public PooledBytes(int capacity)
    {
        _bytes = ArrayPool<byte>.Shared.Rent(capacity);
    }

    public int Length { get; private set; }

    public readonly ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Room for at least this many bytes; say with <see cref="Advance"/> how many were written.</summary>
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

    /// <summary>Takes back what came after a length.</summary>
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

    /// <summary>A part that cannot run into its neighbours: its length in bytes (32 bits, little-endian), then its characters in UTF-16.</summary>
    /// <remarks>Not UTF-8: that has one replacement for every lone surrogate, and so would make one text of two.</remarks>
    public void AddPart(ReadOnlySpan<char> text) => AddPart(MemoryMarshal.AsBytes(text));

    /// <summary>Such a part of bytes.</summary>
    public void AddPart(ReadOnlySpan<byte> bytes)
    {
        BinaryPrimitives.WriteInt32LittleEndian(Room(sizeof(int)), bytes.Length);
        Length += sizeof(int);
        Add(bytes);
    }

    /// <summary>A number of 0 or more in as few bytes as it needs: seven bits each, low ones first, the eighth bit for "more follows".</summary>
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

    /// <summary>A text: the length of its UTF-8 as a varint, then that.</summary>
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
