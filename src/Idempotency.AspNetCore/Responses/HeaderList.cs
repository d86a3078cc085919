using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>Headers whose value is a list of names (RFC 9110 section 5.6.1).</summary>
internal static class HeaderList
{
    /// <summary>Whether a name is listed in any field line. Names are not case-sensitive.</summary>
    public static bool Contains(StringValues header, string name)
    {
        foreach (var line in header)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                if (line.AsSpan()[range].Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
                {
                    return true;
                }
            }
        }

        return false;
    }
}
