using System.Buffers;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>Parses the key that a client sent.</summary>
/// <remarks>
/// <para>The grammar:</para>
/// <para>1. One field line. Two are rejected, and so is a comma outside quotes, because any intermediary can join two lines with one (RFC 9110 section 5.3).</para>
/// <para>2. Either a structured-field string (RFC 9651 section 3.3.3), <c>"abc"</c>, in which only <c>\"</c> and <c>\\</c> are escapes, without parameters;
/// or bare, <c>abc</c>, without quotes, commas and semicolons, which a structured-field parser would read as a list or parameters.</para>
/// <para>3. The key has 1 to 255 printable ASCII characters (0x20 to 0x7E).</para>
/// </remarks>
internal static class IdempotencyKey
{
    public const int MaxLength = 255;

    private static readonly SearchValues<char> NotBare = SearchValues.Create("\",;");

    /// <summary>Parses the key, or returns an error. The header is present; whether it can be missing is decided by the policy.</summary>
    public static bool TryParse(StringValues header, out string key, out string error)
    {
        key = "";
        error = "";
        if (header.Count != 1)
        {
            error = "It was sent more than once. Send it once.";
            return false;
        }

        var value = header[0].AsSpan().Trim([' ', '\t']);
        if (value is ['"', ..])
        {
            if (!TryUnquote(value[1..], out key, out error))
            {
                return false;
            }
        }
        else if (value.ContainsAny(NotBare))
        {
            error = "A key that contains a quotation mark, a comma or a semicolon must be sent as a structured-field string: in quotation marks, with nothing after them.";
            return false;
        }
        else
        {
            key = value.Length == header[0]!.Length ? header[0]! : value.ToString();
        }

        error = key.Length == 0 ? "It is empty. Send 1 to 255 characters, for example a UUID."
            : key.Length > MaxLength ? $"It is longer than {MaxLength} characters. Send a shorter key, for example a UUID."
            : key.AsSpan().ContainsAnyExceptInRange(' ', '~') ? "It contains characters other than printable ASCII (0x20 to 0x7E)."
            : "";
        return error.Length == 0;
    }

    private static bool TryUnquote(ReadOnlySpan<char> rest, out string key, out string error)
    {
        var end = rest.IndexOfAny('"', '\\');
        if (end >= 0 && end == rest.Length - 1 && rest[end] == '"')
        {
            key = rest[..end].ToString();
            error = "";
            return true;
        }

        var unescaped = new System.Text.StringBuilder();
        for (var i = 0; i < rest.Length; i++)
        {
            if (rest[i] == '"')
            {
                key = unescaped.ToString();
                error = rest[(i + 1)..].TrimStart(' ') is [';', ..]
                    ? "It has parameters. Send only the quoted string."
                    : "It has text after its closing quotation mark. Send only the quoted string.";
                if (i == rest.Length - 1)
                {
                    error = "";
                }

                return error.Length == 0;
            }

            if (rest[i] == '\\')
            {
                i++;
                if (i == rest.Length || rest[i] is not ('"' or '\\'))
                {
                    key = "";
                    error = "In a quoted key, a backslash can only escape a quotation mark or a backslash.";
                    return false;
                }
            }

            unescaped.Append(rest[i]);
        }

        key = "";
        error = "Its closing quotation mark is missing.";
        return false;
    }
}
