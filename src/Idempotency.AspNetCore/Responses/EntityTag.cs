using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>The validator of an answer (RFC 9110 section 8.8.3).</summary>
internal static class EntityTag
{
    private const int Length = 16;

    // Some for each thread, because the system's generator takes longer to be asked than to answer.
    private const int MasksAtOnce = 64;

    [ThreadStatic]
    private static byte[]? Masks;

    [ThreadStatic]
    private static int MasksLeft;

    /// <summary>A tag for the answer that a claim's run gives, which is recorded with it.</summary>
    /// <remarks>
    /// <para>It names the record rather than its content: a record never changes, so what no other has tells its answer from every other under the key, also from the
    /// one that comes when this one's retention is over (section 8.8.3 leaves the making to the server), and takes no hash of the body.</para>
    /// <para>Under a mask of the system's generator that is used once, so it tells nothing: neither the owner, which comes from a generator whose
    /// numbers to come follow from those that are shown, nor anything of the next tag. The owner is in it because a process restored from a snapshot repeats its masks.</para>
    /// </remarks>
    /// <param name="claim">The claim.</param>
    /// <param name="isWeak">Whether a replay may have other bytes (the replay flag): same meaning, but not byte for byte.</param>
    public static string Of(OwnedClaim claim, bool isWeak)
    {
        Span<byte> identity = stackalloc byte[Length];
        claim.Owner.TryWriteBytes(identity);
        var mask = NextMask();
        for (var i = 0; i < identity.Length; i++)
        {
            identity[i] ^= mask[i];
        }

        Span<char> digits = stackalloc char[Base64Url.GetEncodedLength(Length)];
        Base64Url.EncodeToChars(identity, digits);
        return string.Concat(isWeak ? "W/\"" : "\"", digits, "\"");
    }

    private static ReadOnlySpan<byte> NextMask()
    {
        var masks = Masks ??= new byte[MasksAtOnce * Length];
        if (MasksLeft == 0)
        {
            RandomNumberGenerator.Fill(masks);
            MasksLeft = MasksAtOnce;
        }

        return masks.AsSpan(--MasksLeft * Length, Length);
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
