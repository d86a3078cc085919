namespace Idempotency.AspNetCore;

/// <summary>The recorded result of a function.</summary>
/// <remarks>
/// <para>The format, version 1. A varint has seven bits a byte, low ones first.</para>
/// <code>
/// 1 byte    version: 129, which is 1 with the high bit; a StoredResponse never has that bit, so neither reader takes the other's record for its own
/// 1 byte    kind: see ResultKind
/// varint    length of the JSON, before compression; 0 where the kind has none
/// bytes     the JSON, in UTF-8
/// 4 bytes   CRC-32C of all that comes before, little-endian
/// </code>
/// <para>For an unknown version, an unknown kind or a wrong checksum, a reader returns a reason instead of a result: such a
/// record stands for an effect and does not run again because it could not be read. A new version gets a new number, and the old reader is kept.</para>
/// </remarks>
internal sealed class StoredResult : IDecodedPayload
{
    private const byte Version = 0x81;

    private readonly bool _ownsJson;

    private StoredResult(ResultKind kind, ReadOnlyMemory<byte> json, bool ownsJson)
    {
        Kind = kind;
        Json = json;
        _ownsJson = ownsJson;
    }

    /// <summary>The kind of the result; <see cref="ResultKind.Json"/> whether it was compressed or not.</summary>
    public ResultKind Kind { get; }

    public ReadOnlyMemory<byte> Json { get; }

    public long ExtraBytes => 60 + (_ownsJson ? Json.Length : 0);

    /// <summary>Encodes a result without JSON.</summary>
    public static byte[] Encode(ResultKind kind) => RecordBytes.Seal([Version, (byte)kind, 0], []);

    /// <summary>Encodes a result in JSON.</summary>
    /// <param name="json">The JSON.</param>
    /// <param name="compressFrom">JSON of at least this size in bytes is compressed if it becomes smaller.</param>
    public static byte[] Encode(ReadOnlySpan<byte> json, int compressFrom)
    {
        var head = new PooledBytes(16);
        var compressed = default(PooledBytes);
        try
        {
            var isCompressed = RecordBytes.TryCompress(json, compressFrom, ref compressed);
            head.Add(Version);
            head.Add((byte)(isCompressed ? ResultKind.CompressedJson : ResultKind.Json));
            head.AddVarint(json.Length);
            return RecordBytes.Seal(head.Written, isCompressed ? compressed.Written : json);
        }
        finally
        {
            head.Dispose();
            compressed.Dispose();
        }
    }

    /// <summary>Decodes a recorded result, or returns the reason why it cannot be read.</summary>
    public static StoredResult? Decode(ReadOnlyMemory<byte> payload, out string reason)
    {
        var bytes = payload.Span;
        reason = "";
        if (bytes.Length == 0 || bytes[0] != Version)
        {
            reason = bytes.Length == 0 ? "it is empty" : $"its format version is {bytes[0]}, and this library reads version {Version} of functions' results";
            return null;
        }

        reason = "it is damaged";
        if (bytes.Length < 2 + RecordBytes.ChecksumSize || !RecordBytes.IsSealed(bytes))
        {
            return null;
        }

        var kind = (ResultKind)bytes[1];
        if (!Enum.IsDefined(kind))
        {
            reason = $"its kind ({bytes[1]}) is unknown to this version of the library";
            return null;
        }

        var reader = new RecordReader(bytes[2..^RecordBytes.ChecksumSize]);
        if (!reader.TryVarint(out var length) || length > RecordBytes.LongestContent)
        {
            return null;
        }

        var isCompressed = kind == ResultKind.CompressedJson;
        var kept = payload[^(reader.Left + RecordBytes.ChecksumSize)..^RecordBytes.ChecksumSize];
        var json = isCompressed ? RecordBytes.Decompress(kept.Span, length) : kept;
        if (json is not { } whole || whole.Length != length || (length > 0 && kind is not (ResultKind.Json or ResultKind.CompressedJson)))
        {
            return null;
        }

        reason = "";
        return new StoredResult(isCompressed ? ResultKind.Json : kind, whole, ownsJson: isCompressed);
    }
}
