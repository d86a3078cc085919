using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Idempotency.Http;

/// <summary>The grammar of a key, and its formats in a header.</summary>
/// <remarks>
/// <para>1. A key has 1 to 255 printable ASCII characters (0x20 to 0x7E): the characters of a structured-field string, and those that Idempotency.AspNetCore accepts.</para>
/// <para>2. Quoted, it is enclosed in quotation marks, with a backslash before <c>"</c> and <c>\</c> (RFC 9651 section 4.1.6).</para>
/// <para>3. Bare, it is sent unchanged. Some keys cannot be sent so: leading and trailing spaces are not part of a field value, a comma may be where an
/// intermediary joined two lines (RFC 9110 section 5.3), a semicolon starts parameters, and a quotation mark starts the other format.</para>
/// </remarks>
internal static class KeyText
{
    public const int MaxLength = 255;

    private static readonly SearchValues<char> NotBare = SearchValues.Create("\",;");

    /// <summary>Whether a text is a valid key; if not, returns the reason, without the text.</summary>
    public static bool IsKey([NotNullWhen(true)] string? text, out string error)
    {
        error = string.IsNullOrEmpty(text) ? "it is empty"
            : text.Length > MaxLength ? $"it has {text.Length} characters"
            : text.AsSpan().ContainsAnyExceptInRange(' ', '~') ? "it contains characters other than printable ASCII (0x20 to 0x7E)"
            : "";
        return error.Length == 0;
    }

    public static bool CanStandBare(string key) => key[0] != ' ' && key[^1] != ' ' && !key.AsSpan().ContainsAny(NotBare);

    public static string Quote(string key) =>
        "\"" + key.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";

    /// <summary>The key in a header that the caller set, in either format; a value in neither format is used unchanged.</summary>
    public static string Read(string value)
    {
        value = value.Trim(' ', '\t');
        if (value is not ['"', .., '"'] || value.Length < 2)
        {
            return value;
        }

        var key = new System.Text.StringBuilder(value.Length);
        for (var i = 1; i < value.Length - 1; i++)
        {
            if (value[i] == '\\' && i + 1 < value.Length - 1)
            {
                i++;
            }

            key.Append(value[i]);
        }

        return key.ToString();
    }
}
