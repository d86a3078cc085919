namespace Idempotency.AspNetCore;

/// <summary>The grammar of methods and header names: RFC 9110 section 5.6.2, token = 1*tchar.</summary>
internal static class HttpToken
{
    public static bool IsValid(string? text) =>
        !string.IsNullOrEmpty(text) && text.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal));
}
