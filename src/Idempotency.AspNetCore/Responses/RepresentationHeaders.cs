using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>The headers that describe the body (RFC 9110 section 8). They belong to the body, regardless of who set them.</summary>
/// <remarks>Those of the first response are recorded even if the outer pipeline set them (for example, the language by request localization), and those that it sets for a retry do not describe the recorded body.</remarks>
internal static class RepresentationHeaders
{
    // Not every header that begins with Content-: Content-Security-Policy does not describe the body.
    private static readonly string[] Names =
    [
        HeaderNames.ContentType, HeaderNames.ContentEncoding, HeaderNames.ContentLanguage, HeaderNames.ContentLocation, HeaderNames.ContentDisposition, HeaderNames.ContentRange,
        HeaderNames.ETag, HeaderNames.LastModified,
        .. OfEncodedBytes,
    ];

    // These describe the bytes as recorded (RFC 9530 and its predecessors).
    private static string[] OfEncodedBytes => [HeaderNames.ContentMD5, "Digest", "Content-Digest", "Repr-Digest"];

    private static readonly FrozenSet<string> All = Names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public static bool Contain(string name) => All.Contains(name);

    /// <summary>Removes the headers that the outer pipeline set for a retry, except those that the policy excludes from records.</summary>
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

    /// <summary>Changes the headers of an encoded response to those of its decoded body.</summary>
    public static void Decode(IHeaderDictionary headers)
    {
        headers.Remove(HeaderNames.ContentEncoding);
        foreach (var name in OfEncodedBytes)
        {
            headers.Remove(name);
        }

        // The same response in other bytes: a strong tag would promise identical bytes (RFC 9110 section 8.8.3.3).
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
