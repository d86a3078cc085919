using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>The entity tag of a response (RFC 9110 section 8.8.3).</summary>
internal static class EntityTag
{
    private const int Length = 16;

    // Several per thread, because calling the system's generator takes longer than generating the bytes.
    private const int MasksAtOnce = 64;

    [ThreadStatic]
    private static byte[]? Masks;

    [ThreadStatic]
    private static int MasksLeft;

    /// <summary>Creates the tag for the response of a claim's run. It is recorded with the response.</summary>
    /// <remarks>
    /// <para>It identifies the record rather than its content: a record never changes, so a unique value distinguishes its response from every other response under the key, including
    /// one that is recorded after this one's retention (section 8.8.3 leaves the choice to the server), without hashing the body.</para>
    /// <para>It is masked with a one-time value of the system's generator, so it reveals neither the owner, which comes from a generator whose
    /// next values can be predicted from earlier ones, nor the next tag. The owner is included because a process that is restored from a snapshot repeats its masks.</para>
    /// </remarks>
    /// <param name="claim">The claim.</param>
    /// <param name="isWeak">Whether the bytes of a replay may differ (because of the replay flag) while the meaning is the same.</param>
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
        // "*" is not a tag but a condition of the request ("create only if absent"): its retry receives the first response.
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
