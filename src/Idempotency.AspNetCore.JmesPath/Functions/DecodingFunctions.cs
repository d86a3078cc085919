using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Idempotency.AspNetCore;

/// <summary>The functions that AWS Powertools adds, for envelopes in which a body is encoded as text.</summary>
/// <remarks>An absent value stays absent: null returns null, so that a missing body is a missing key and not an error.</remarks>
internal static class DecodingFunctions
{
    private const int MaxJsonDepth = 64;

    public static readonly Function[] All =
    [
        new("powertools_json", Json, Accepts.Any) { OnlySelects = true },
        new("powertools_base64", Base64, Accepts.String | Accepts.Null) { OnlySelects = true },
        new("powertools_base64_gzip", Base64Gzip, Accepts.String | Accepts.Null) { OnlySelects = true },
    ];

    /// <summary>The value of a JSON text. A value that is not a string is returned unchanged, so that an expression works whether or not the body has been parsed.</summary>
    private static Value Json(Call call)
    {
        if (call.First.Kind != ValueKind.String)
        {
            return call.First;
        }

        var text = call.First.Text(call.Run);
        call.Run.Charge(text.Length / Evaluation.CharactersInAStep);
        try
        {
            return new Value(JsonElement.Parse(text, new JsonDocumentOptions { MaxDepth = MaxJsonDepth }));
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException)
        {
            // The reader's own message quotes the content.
            throw call.InvalidValue($"got text that is not JSON, or is nested deeper than {MaxJsonDepth} levels.");
        }
    }

    private static Value Base64(Call call) => call.First.IsNull ? Value.Null : Utf8Text(call, Decode(call));

    private static Value Base64Gzip(Call call)
    {
        if (call.First.IsNull)
        {
            return Value.Null;
        }

        var compressed = Decode(call);

        // An empty stream decompresses to nothing without an error; the minimum is ten bytes of header and eight of trailer.
        if (compressed.Count < 18)
        {
            throw NotGzip(call);
        }

        using var gzip = new GZipStream(new MemoryStream(compressed.Array!, compressed.Offset, compressed.Count), CompressionMode.Decompress);
        using var inflated = new MemoryStream();
        var piece = new byte[Math.Min(call.Run.MaxDecodedSize, 16 * 1024)];
        try
        {
            for (int length; (length = gzip.Read(piece)) > 0;)
            {
                // Stops at the limit, because 1 MiB can expand to 1 GiB.
                if (inflated.Length + length > call.Run.MaxDecodedSize)
                {
                    throw TooLarge(call);
                }

                call.Run.Charge(length / Evaluation.CharactersInAStep);
                inflated.Write(piece, 0, length);
            }
        }
        catch (InvalidDataException)
        {
            throw NotGzip(call);
        }

        // The stream does not report that its end is missing. Its last four bytes show it: they are the length of the content (RFC 1952), for a single member.
        if (BinaryPrimitives.ReadUInt32LittleEndian(compressed.AsSpan(compressed.Count - 4)) != inflated.Length)
        {
            throw NotGzip(call);
        }

        return Utf8Text(call, new ArraySegment<byte>(inflated.GetBuffer(), 0, (int)inflated.Length));
    }

    private static ArraySegment<byte> Decode(Call call)
    {
        var text = call.First.Text(call.Run);
        call.Run.Charge(text.Length / Evaluation.CharactersInAStep);
        var bytes = new byte[text.Length / 4 * 3 + 3];
        if (!Convert.TryFromBase64String(text, bytes, out var length))
        {
            throw call.InvalidValue("got text that is not Base64.");
        }

        return length <= call.Run.MaxDecodedSize ? new ArraySegment<byte>(bytes, 0, length) : throw TooLarge(call);
    }

    private static Value Utf8Text(Call call, ReadOnlySpan<byte> bytes) =>
        Utf8.IsValid(bytes) ? new Value(Encoding.UTF8.GetString(bytes)) : throw call.InvalidValue("decoded bytes that are not UTF-8.");

    private static JmesPathException NotGzip(Call call) => call.InvalidValue("decoded bytes that are not a complete gzip stream.");

    private static JmesPathException TooLarge(Call call) =>
        call.InvalidValue($"would decode to more than {call.Run.MaxDecodedSize} bytes. To allow more, increase JmesPathOptions.MaxDecodedSize.");
}
