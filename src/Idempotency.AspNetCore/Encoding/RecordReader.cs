using System.Buffers.Binary;
using System.Text;

namespace Idempotency.AspNetCore;

/// <summary>Reads the parts that <see cref="PooledBytes"/> wrote to a record, and never beyond its end.</summary>
internal ref struct RecordReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly int Left => _rest.Length;

    public bool TryVarint(out int value)
    {
        value = 0;
        for (var shift = 0; shift < 35 && !_rest.IsEmpty; shift += 7)
        {
            var next = _rest[0];
            _rest = _rest[1..];
            value |= (next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value >= 0;
            }
        }

        return false;
    }

    public bool TryText(out string text)
    {
        text = "";
        if (!TryVarint(out var length) || length > _rest.Length)
        {
            return false;
        }

        text = Encoding.UTF8.GetString(_rest[..length]);
        _rest = _rest[length..];
        return true;
    }

    public bool TryByte(out byte value)
    {
        value = _rest.IsEmpty ? (byte)0 : _rest[0];
        if (_rest.IsEmpty)
        {
            return false;
        }

        _rest = _rest[1..];
        return true;
    }

    public bool TryInt64(out long value)
    {
        if (!BinaryPrimitives.TryReadInt64LittleEndian(_rest, out value))
        {
            return false;
        }

        _rest = _rest[sizeof(long)..];
        return true;
    }

    /// <summary>Skips bytes that are known to be there.</summary>
    public void Skip(int count) => _rest = _rest[count..];
}
