using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Idempotency.Http;

/// <summary>What a key may be, and how it stands in a header.</summary>
/// <remarks>
/// <para>1. A key is 1 to 255 characters of printable ASCII (0x20 to 0x7E): what a structured-field string can carry, and what Idempotency.AspNetCore takes.</para>
/// <para>2. Quoted, it stands in quotation marks, and a backslash comes before <c>"</c> and <c>\</c> (RFC 9651 section 4.1.6).</para>
/// <para>3. Bare, it stands as it is. Some keys do not survive that: spaces at an end are no part of a field value, a comma may be where an
/// intermediary joined two lines (RFC 9110 section 5.3), a semicolon begins parameters, a quotation mark the other form.</para>
/// </remarks>
internal static class KeyText
{
    public const int MaxLength = 255;

    private static readonly SearchValues<char> NotBare = SearchValues.Create("\",;");

    /// <summary>Whether a text can be a key; if not, what is wrong, without the text.</summary>
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

    /// <summary>The key that a header which the caller wrote stands for, in either form; what is in neither is taken as it is.</summary>
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
