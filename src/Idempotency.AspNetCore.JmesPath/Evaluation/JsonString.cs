using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Idempotency.AspNetCore;

/// <summary>Decodes strings of documents, including invalid ones: the framework's own accessors throw on unpaired surrogates (<c>\ud800</c>).</summary>
internal static class JsonString
{
    public static string Of(JsonElement element) => Decode(JsonMarshal.GetRawUtf8Value(element)[1..^1]);

    public static string NameOf(JsonProperty property) => Decode(JsonMarshal.GetRawUtf8PropertyName(property));

    public static int RawLength(JsonElement element) => JsonMarshal.GetRawUtf8Value(element).Length - 2;

    /// <summary>Decodes the text between the quotes of a string that a JSON reader has accepted.</summary>
    public static string Decode(ReadOnlySpan<byte> raw)
    {
        if (!raw.Contains((byte)'\\') && Utf8.IsValid(raw))
        {
            return Encoding.UTF8.GetString(raw);
        }

        var text = new StringBuilder(raw.Length);
        Span<char> pair = stackalloc char[2];
        for (var i = 0; i < raw.Length;)
        {
            if (raw[i] != '\\')
            {
                if (Rune.DecodeFromUtf8(raw[i..], out var rune, out var length) == OperationStatus.Done)
                {
                    text.Append(pair[..rune.EncodeToUtf16(pair)]);
                }
                else
                {
                    // Bytes that are not UTF-8 become one lone surrogate each, so that different strings stay different and nothing throws.
                    length = 1;
                    text.Append((char)(0xDC00 + raw[i]));
                }

                i += length;
                continue;
            }

            var escape = raw[i + 1];
            if (escape == 'u')
            {
                text.Append((char)ushort.Parse(raw.Slice(i + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                i += 6;
                continue;
            }

            text.Append(escape switch { (byte)'b' => '\b', (byte)'f' => '\f', (byte)'n' => '\n', (byte)'r' => '\r', (byte)'t' => '\t', _ => (char)escape });
            i += 2;
        }

        return text.ToString();
    }

    /// <summary>The number of code points of a text; an unpaired surrogate counts as one.</summary>
    public static int Length(string text)
    {
        var length = text.Length;
        for (var i = 0; i < text.Length - 1; i++)
        {
            if (char.IsSurrogatePair(text[i], text[i + 1]))
            {
                length--;
                i++;
            }
        }

        return length;
    }

    /// <summary>The text with its code points in reverse order.</summary>
    public static string Reverse(string text)
    {
        var reversed = text.ToCharArray();
        Array.Reverse(reversed);
        for (var i = 0; i < reversed.Length - 1; i++)
        {
            if (char.IsSurrogatePair(reversed[i + 1], reversed[i]))
            {
                (reversed[i], reversed[i + 1]) = (reversed[i + 1], reversed[i]);
                i++;
            }
        }

        return new string(reversed);
    }

    /// <summary>Compares by code points: by UTF-16, U+FFFD would come after U+1F600.</summary>
    public static int Compare(string left, string right)
    {
        var same = left.AsSpan().CommonPrefixLength(right);
        if (same == left.Length || same == right.Length)
        {
            return left.Length.CompareTo(right.Length);
        }

        // The low surrogates of pairs with the same high surrogate, or a pair and an unpaired surrogate.
        if (same > 0 && char.IsHighSurrogate(left[same - 1]) && (char.IsLowSurrogate(left[same]) || char.IsLowSurrogate(right[same])))
        {
            same--;
        }

        return CodePoint(left, same).CompareTo(CodePoint(right, same));
    }

    private static int CodePoint(string text, int at) =>
        at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at];
}
