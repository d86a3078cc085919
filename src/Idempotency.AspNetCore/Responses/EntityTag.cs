using System.Buffers.Text;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>The validator of an answer (RFC 9110 section 8.8.3).</summary>
internal static class EntityTag
{
    private const int Length = 16;

    /// <summary>The tag of the answer that a claim's run gives.</summary>
    /// <remarks>
    /// It names the record rather than its content: a record never changes, so its identity tells its answer from every other under the key (section 8.8.3 leaves the
    /// making to the server), and takes no hash of the body. That identity is the claim's owner, 128 bits that no other run has, nor the one that comes
    /// under the same key when this one's retention is over; laid over the stored key, so that neither of them is shown.
    /// </remarks>
    /// <param name="claim">The claim.</param>
    /// <param name="isWeak">Whether a replay may have other bytes (the replay flag): same meaning, but not byte for byte.</param>
    public static string Of(OwnedClaim claim, bool isWeak)
    {
        Span<byte> identity = stackalloc byte[Length];
        Span<byte> key = stackalloc byte[Sha256Hash.Length];
        claim.Owner.TryWriteBytes(identity);
        claim.Key.CopyTo(key);
        for (var i = 0; i < identity.Length; i++)
        {
            identity[i] ^= key[i];
        }

        Span<char> digits = stackalloc char[Base64Url.GetEncodedLength(Length)];
        Base64Url.EncodeToChars(identity, digits);
        return string.Concat(isWeak ? "W/\"" : "\"", digits, "\"");
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
