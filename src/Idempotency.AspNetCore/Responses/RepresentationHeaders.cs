using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>The headers that describe the body (RFC 9110 section 8): they belong to it, whoever set them.</summary>
/// <remarks>The ones of the first response are recorded even when the outer pipeline set them (the language of request localization, for one), and those it sets for a retry do not describe the recorded body.</remarks>
internal static class RepresentationHeaders
{
    // Not everything that begins with Content-: Content-Security-Policy is no description of the body.
    private static readonly string[] Names =
    [
        HeaderNames.ContentType, HeaderNames.ContentEncoding, HeaderNames.ContentLanguage, HeaderNames.ContentLocation, HeaderNames.ContentDisposition, HeaderNames.ContentRange,
        HeaderNames.ETag, HeaderNames.LastModified,
        .. OfEncodedBytes,
    ];

    // True of the bytes as they were recorded (RFC 9530, and its predecessors).
    private static string[] OfEncodedBytes => [HeaderNames.ContentMD5, "Digest", "Content-Digest", "Repr-Digest"];

    private static readonly FrozenSet<string> All = Names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public static bool Contain(string name) => All.Contains(name);

    /// <summary>Takes away what the outer pipeline set for a retry, less what the policy excludes from records.</summary>
    public static void RemoveFrom(IHeaderDictionary headers, ResponseRules rules)
    {
        if (headers.Count == 0)
        {
            return;
        }

        foreach (var name in Names)
        {
            if (!rules.ExcludedHeaders.Contains(name))
            {
                headers.Remove(name);
            }
        }
    }

    /// <summary>Makes the headers of an encoded response those of its body without the coding.</summary>
    public static void Decode(IHeaderDictionary headers)
    {
        headers.Remove(HeaderNames.ContentEncoding);
        foreach (var name in OfEncodedBytes)
        {
            headers.Remove(name);
        }

        // The same response in other bytes: a strong tag would promise the same ones (RFC 9110 section 8.8.3.3).
        if (headers.ETag is [{ } tag] && !tag.StartsWith("W/", StringComparison.Ordinal))
        {
            headers.ETag = "W/" + tag;
        }

        if (!HeaderList.Contains(headers.Vary, HeaderNames.AcceptEncoding) && !HeaderList.Contains(headers.Vary, "*"))
        {
            headers.Vary = StringValues.Concat(headers.Vary, HeaderNames.AcceptEncoding);
        }
    }
}
