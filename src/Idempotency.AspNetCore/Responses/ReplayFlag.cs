using System.Text.Json;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>The member that marks a JSON response as a replay.</summary>
internal sealed class ReplayFlag(string name)
{
    // With these headers, the handler vouches for the exact bytes (or sends only a part of them), so they are not changed.
    private static readonly string[] VouchForBytes = ["Content-Encoding", "Content-Range", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest"];

    private readonly byte[] _member = [(byte)'"', .. JsonEncodedText.Encode(name).EncodedUtf8Bytes, (byte)'"', (byte)':', .. "true"u8];

    /// <summary>Whether a response with these headers can have the flag, regardless of its body.</summary>
    /// <param name="headers">The headers.</param>
    /// <param name="valuesOf">Returns the values of a header; empty if it is not set.</param>
    public static bool MayCarry<THeaders>(THeaders headers, Func<THeaders, string, StringValues> valuesOf)
    {
        // Not for other JSON types (…+json): their formats define the members.
        if (!RequestIdentity.IsJson(valuesOf(headers, "Content-Type").ToString(), out var mediaType)
            || !(mediaType == "application/json" || mediaType.StartsWith("application/json;", StringComparison.Ordinal)))
        {
            return false;
        }

        // A strong validator promises identical bytes (RFC 9110 section 8.8.1).
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

    /// <summary>Adds the flag to the body: the value of a top-level member with that name is replaced, otherwise the member is added at the end; all other bytes stay the same.</summary>
    /// <returns>Null if the body is not a JSON object.</returns>
    public byte[]? AddTo(ReadOnlySpan<byte> body)
    {
        var values = new List<(int Start, int End)>();
        int afterLast;
        try
        {
            // No depth limit, because the application wrote the JSON.
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
            return null; // InvalidOperationException: an unpaired surrogate in an escaped name
        }

        return values.Count > 0 ? Replace(body, values) : Insert(body, afterLast);
    }

    private byte[] Insert(ReadOnlySpan<byte> body, int at)
    {
        // If it follows the opening brace directly, there is no member yet.
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
