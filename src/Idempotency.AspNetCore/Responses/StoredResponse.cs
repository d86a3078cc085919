using System.Buffers.Binary;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>A recorded response.</summary>
/// <remarks>
/// <para>The format, version 1. Numbers are little-endian; a varint has seven bits a byte, low ones first; a text is a varint length and UTF-8.</para>
/// <code>
/// 1 byte    version: 1
/// 1 byte    flags: 1 the body is recorded, 2 the body is compressed with Brotli (RFC 7932); other bits are zero
/// 2 bytes   status
/// text      reason phrase; empty for the standard one
/// varint    number of headers, then for each:
///   text      name
///   varint    number of values × 2, plus 1 if they are appended to what the outer pipeline has set
///   texts     values
/// varint    length of the body, before compression
/// bytes     the body
/// 4 bytes   CRC-32C of all that comes before
/// </code>
/// <para>For an unknown version, an unknown flag or a wrong checksum, a reader returns a reason instead of a response: such a
/// record stands for an effect and does not run again because it could not be read. A new version gets a new number, below 128 (numbers above are those of <see cref="StoredResult"/>), and the old reader is kept.</para>
/// </remarks>
internal sealed class StoredResponse : IDecodedPayload
{
    private const byte Version = 1;
    private const byte BodyKept = 1;
    private const byte BodyCompressed = 2;

    private readonly ReadOnlyMemory<byte> _body;
    private readonly bool _ownsBody;
    private FlaggedBody? _flagged;
    private SeenRequest? _request;

    private StoredResponse(int status, string reasonPhrase, StoredHeader[] headers, ReadOnlyMemory<byte> body, bool isBodyKept, bool ownsBody)
    {
        Status = status;
        ReasonPhrase = reasonPhrase;
        Headers = headers;
        IsBodyKept = isBodyKept;
        _body = body;
        _ownsBody = ownsBody;
    }

    public int Status { get; }

    public string ReasonPhrase { get; }

    public IReadOnlyList<StoredHeader> Headers { get; }

    /// <summary>False if the body was too large to record, or was streamed.</summary>
    public bool IsBodyKept { get; }

    public ReadOnlyMemory<byte> Body => _body;

    /// <summary>The request that it was last replayed to; null before the first replay.</summary>
    public SeenRequest? Request
    {
        get => Volatile.Read(ref _request);
        set => Volatile.Write(ref _request, value);
    }

    public long ExtraBytes => 200 + (_request?.Size ?? 0) + (100L * Headers.Count) + (_ownsBody ? _body.Length : 0) + (_flagged?.Bytes.Length ?? 0);

    /// <summary>Encodes a response.</summary>
    /// <param name="status">The status.</param>
    /// <param name="reasonPhrase">A reason phrase other than the standard one, or null.</param>
    /// <param name="headers">The headers.</param>
    /// <param name="body">The body, or null if it is not recorded.</param>
    /// <param name="compressFrom">Bodies of at least this size in bytes are compressed if they become smaller.</param>
    public static byte[] Encode(int status, string? reasonPhrase, ReadOnlySpan<StoredHeader> headers, ReadOnlyMemory<byte>? body, int compressFrom)
    {
        var head = new PooledBytes(512);
        var compressed = default(PooledBytes);
        try
        {
            var content = body.GetValueOrDefault().Span;
            var flags = body is null ? (byte)0 : BodyKept;
            if (body is not null && RecordBytes.TryCompress(content, compressFrom, ref compressed))
            {
                flags |= BodyCompressed;
            }

            head.Add(Version);
            head.Add(flags);
            BinaryPrimitives.WriteUInt16LittleEndian(head.Room(sizeof(ushort)), (ushort)status);
            head.Advance(sizeof(ushort));
            head.AddText(reasonPhrase ?? "");
            head.AddVarint(headers.Length);
            foreach (var header in headers)
            {
                head.AddText(header.Name);
                head.AddVarint((header.Values.Count * 2) + (header.IsAppended ? 1 : 0));
                foreach (var value in header.Values)
                {
                    head.AddText(value ?? "");
                }
            }

            head.AddVarint(content.Length);
            return RecordBytes.Seal(head.Written, (flags & BodyCompressed) != 0 ? compressed.Written : content);
        }
        finally
        {
            head.Dispose();
            compressed.Dispose();
        }
    }

    /// <summary>Decodes a response, or returns the reason why it cannot be read.</summary>
    public static StoredResponse? Decode(ReadOnlyMemory<byte> payload, out string reason)
    {
        var bytes = payload.Span;
        reason = "";
        if (bytes.Length == 0 || bytes[0] != Version)
        {
            reason = bytes.Length == 0 ? "it is empty" : $"its format version is {bytes[0]}, and this library reads version {Version}";
            return null;
        }

        reason = "it is damaged";
        if (bytes.Length < 2 + sizeof(ushort) + RecordBytes.ChecksumSize || !RecordBytes.IsSealed(bytes))
        {
            return null;
        }

        var flags = bytes[1];
        if ((flags & ~(BodyKept | BodyCompressed)) != 0)
        {
            reason = $"it has flags ({flags:x2}) that this version of the library does not know";
            return null;
        }

        var status = BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]);
        var reader = new RecordReader(bytes[4..^RecordBytes.ChecksumSize]);
        if (status is < 100 or > 999 || !reader.TryText(out var reasonPhrase) || !reader.TryVarint(out var headerCount) || headerCount > reader.Left)
        {
            return null;
        }

        var headers = new StoredHeader[headerCount];
        for (var i = 0; i < headers.Length; i++)
        {
            if (!reader.TryText(out var name) || name.Length == 0 || !reader.TryVarint(out var count) || count / 2 > reader.Left)
            {
                return null;
            }

            var values = new string?[count / 2];
            for (var j = 0; j < values.Length; j++)
            {
                if (!reader.TryText(out var value))
                {
                    return null;
                }

                values[j] = value;
            }

            headers[i] = new StoredHeader(name, values.Length == 1 ? new StringValues(values[0]) : new StringValues(values), IsAppended: count % 2 == 1);
        }

        if (!reader.TryVarint(out var length) || length > RecordBytes.LongestContent)
        {
            return null;
        }

        var isCompressed = (flags & BodyCompressed) != 0;
        var kept = payload[^(reader.Left + RecordBytes.ChecksumSize)..^RecordBytes.ChecksumSize];
        var body = isCompressed ? RecordBytes.Decompress(kept.Span, length) : kept;
        if (body is not { } whole || whole.Length != length)
        {
            return null;
        }

        reason = "";
        return new StoredResponse(status, reasonPhrase, headers, whole, (flags & BodyKept) != 0, ownsBody: isCompressed);
    }

    /// <summary>The values of a header, or none. Names are not case-sensitive.</summary>
    public StringValues Header(string name) => Find(name)?.Values ?? StringValues.Empty;

    /// <summary>A header, or null.</summary>
    public StoredHeader? Find(string name)
    {
        foreach (var header in Headers)
        {
            if (header.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return header;
            }
        }

        return null;
    }

    /// <summary>The body of a replay, computed at the first replay and cached.</summary>
    /// <param name="flag">The policy's flag, or null for none.</param>
    /// <param name="isNew">Whether it was computed now, so that this object has grown.</param>
    public ReadOnlyMemory<byte> BodyWith(ReplayFlag? flag, out bool isNew)
    {
        isNew = false;
        if (flag is null)
        {
            return _body;
        }

        var flagged = Volatile.Read(ref _flagged);
        if (flagged is null || flagged.Flag != flag)
        {
            isNew = true;
            flagged = new FlaggedBody(flag, ReplayFlag.MayCarry(this, static (response, name) => response.Header(name)) && flag.AddTo(_body.Span) is { } bytes ? bytes : null);
            Volatile.Write(ref _flagged, flagged);
        }

        return flagged.IsFlagged ? flagged.Bytes : _body;
    }

    private sealed class FlaggedBody(ReplayFlag flag, byte[]? bytes)
    {
        public ReplayFlag Flag { get; } = flag;

        public bool IsFlagged { get; } = bytes is not null;

        public byte[] Bytes { get; } = bytes ?? [];
    }
}
