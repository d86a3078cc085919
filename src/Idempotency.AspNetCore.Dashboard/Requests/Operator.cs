using System.Security.Claims;

namespace Idempotency.AspNetCore;

/// <summary>Who forgets a record, for the log.</summary>
internal static class Operator
{
    private const int LongestName = 200;

    /// <summary>The name of a user, else the subject; in one line, because a name is what somebody chose.</summary>
    public static string NameOf(ClaimsPrincipal user)
    {
        var name = user.Identity?.Name ?? user.FindFirst("name")?.Value ?? user.FindFirst("sub")?.Value ?? user.FindFirst(ClaimTypes.NameIdentifier)?.Value;
        return string.IsNullOrWhiteSpace(name) ? "(no name)" : string.Concat(name.Take(LongestName).Select(static letter => char.IsControl(letter) || letter is '\u2028' or '\u2029' ? ' ' : letter));
    }
}
