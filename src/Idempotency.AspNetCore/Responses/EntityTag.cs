using System.Buffers.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>The validator of an answer (RFC 9110 section 8.8.3).</summary>
internal static class EntityTag
{
    /// <summary>A tag made from what the answer says: SHA-256 over status, media type and body.</summary>
    /// <param name="response">The response.</param>
    /// <param name="body">Its body.</param>
    /// <param name="isWeak">Whether a replay may have other bytes (the replay flag): same meaning, but not byte for byte.</param>
    public static string Of(HttpResponse response, ReadOnlySpan<byte> body, bool isWeak)
    {
        var input = new PooledBytes(body.Length + 128);
        try
        {
            input.AddVarint(response.StatusCode);
            input.AddPart(response.ContentType ?? "");
            input.Add(body);
            Span<byte> hash = stackalloc byte[Sha256Hash.Length];
            Sha256Hash.Of(input.Written).CopyTo(hash);
            Span<char> digits = stackalloc char[Base64Url.GetEncodedLength(Sha256Hash.Length)];
            Base64Url.EncodeToChars(hash, digits);
            return string.Concat(isWeak ? "W/\"" : "\"", digits, "\"");
        }
        finally
        {
            input.Dispose();
        }
    }

    /// <summary>Whether <c>If-None-Match</c> lists the tag, by weak comparison (RFC 9110 section 13.1.2).</summary>
    public static bool IsListed(StringValues ifNoneMatch, string tag)
    {
        // "*" is no tag of an answer but a condition of the request ("create only if absent"): its retry gets the first answer.
        if (!EntityTagHeaderValue.TryParse(tag, out var own) || !EntityTagHeaderValue.TryParseList(ifNoneMatch, out var listed))
        {
            return false;
        }

        foreach (var candidate in listed)
        {
            if (!candidate.Equals(EntityTagHeaderValue.Any) && own.Compare(candidate, useStrongComparison: false))
            {
                return true;
            }
        }

        return false;
    }
}
