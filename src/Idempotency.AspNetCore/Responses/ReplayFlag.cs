using System.Text.Json;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>The member that tells a client that a JSON answer is a replay.</summary>
internal sealed class ReplayFlag(string name)
{
    // With these the handler vouches for its very bytes (or sends only some of them): they are left alone.
    private static readonly string[] VouchForBytes = ["Content-Encoding", "Content-Range", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest"];

    private readonly byte[] _member = [(byte)'"', .. JsonEncodedText.Encode(name).EncodedUtf8Bytes, (byte)'"', (byte)':', .. "true"u8];

    /// <summary>Whether a response with these headers may carry the flag, whatever its body.</summary>
    /// <param name="headers">The headers.</param>
    /// <param name="valuesOf">Looks one up by its name; empty when it is not there.</param>
    public static bool MayCarry<THeaders>(THeaders headers, Func<THeaders, string, StringValues> valuesOf)
    {
        // Not into other types in JSON (…+json): their formats say what members there are.
        if (!RequestIdentity.IsJson(valuesOf(headers, "Content-Type").ToString(), out var mediaType)
            || !(mediaType == "application/json" || mediaType.StartsWith("application/json;", StringComparison.Ordinal)))
        {
            return false;
        }

        // A strong validator promises the same bytes (RFC 9110 section 8.8.1).
        if (valuesOf(headers, "ETag").ToString() is { Length: > 0 } tag && !tag.StartsWith("W/", StringComparison.Ordinal))
        {
            return false;
        }

        foreach (var vouching in VouchForBytes)
        {
            if (!StringValues.IsNullOrEmpty(valuesOf(headers, vouching)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The body with the flag: the value of a top-level member of that name is replaced, else one is added last; every other byte stays.</summary>
    /// <returns>Null when the body is not a JSON object.</returns>
    public byte[]? AddTo(ReadOnlySpan<byte> body)
    {
        var values = new List<(int Start, int End)>();
        int afterLast;
        try
        {
            // As deep as it likes: the writer was the application's own.
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = int.MaxValue });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return null;
            }

            afterLast = (int)reader.BytesConsumed;
            while (reader.Read() && reader.CurrentDepth > 0)
            {
                var isFlag = reader.ValueTextEquals(name);
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                afterLast = (int)reader.BytesConsumed;
                if (isFlag)
                {
                    values.Add((start, afterLast));
                }
            }

            if (reader.TokenType != JsonTokenType.EndObject || reader.Read())
            {
                return null;
            }
        }
        catch (Exception notJson) when (notJson is JsonException or InvalidOperationException)
        {
            return null; // InvalidOperationException: half a surrogate pair in an escaped name
        }

        return values.Count > 0 ? Replace(body, values) : Insert(body, afterLast);
    }

    private byte[] Insert(ReadOnlySpan<byte> body, int at)
    {
        // Right after the opening brace means there is no member yet; what follows a last member is its end.
        var isFirst = body[..at].TrimStart(" \t\r\n"u8).Length == 1;
        return [.. body[..at], .. isFirst ? ""u8 : ","u8, .. _member, .. body[at..]];
    }

    private static byte[] Replace(ReadOnlySpan<byte> body, List<(int Start, int End)> values)
    {
        using var flagged = new MemoryStream(body.Length + 8);
        var copied = 0;
        foreach (var (start, end) in values)
        {
            flagged.Write(body[copied..start]);
            flagged.Write("true"u8);
            copied = end;
        }

        flagged.Write(body[copied..]);
        return flagged.ToArray();
    }
}
