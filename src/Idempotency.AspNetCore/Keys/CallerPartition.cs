using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace Idempotency.AspNetCore;

/// <summary>Whose request is this? A part of the stored key, so that callers cannot reach each other's records.</summary>
/// <remarks>
/// 1. The policy's function, when it has one; null from it is the shared partition. 2. An authenticated user: of every authenticated identity
/// (several schemes may each add one: an application's and its user's) the subject (<c>sub</c>), else the name identifier, else the name, with its
/// issuer, or with the authentication type where the claim was issued locally. 3. Nobody: the shared partition. The cases carry different tags and
/// all parts their length, so none can imitate another.
/// </remarks>
internal static class CallerPartition
{
    private const byte Shared = 0;
    private const byte User = 1;
    private const byte Custom = 2;

    public static void Append(HttpContext context, IdempotencyPolicy policy, ref PooledBytes input)
    {
        if (policy.Partition is { } partition)
        {
            var custom = partition(context);
            AppendTagged(ref input, custom is null ? Shared : Custom, custom ?? "", "");
            return;
        }

        var isAuthenticated = false;
        var isIdentified = false;
        // The framework's context makes a user, nobody, when it is asked for one and has none: so its feature is asked.
        var user = context.GetType() == typeof(DefaultHttpContext) ? context.Features.Find<IHttpAuthenticationFeature>()?.User : context.User;
        foreach (var identity in user?.Identities ?? [])
        {
            if (!identity.IsAuthenticated)
            {
                continue;
            }

            isAuthenticated = true;
            var claim = identity.FindFirst("sub") ?? identity.FindFirst(ClaimTypes.NameIdentifier) ?? identity.FindFirst(identity.NameClaimType);
            isIdentified |= claim is not null;
            var issuer = identity.FindFirst("iss")?.Value ?? claim?.Issuer ?? ClaimsIdentity.DefaultIssuer;
            AppendTagged(ref input, User, issuer == ClaimsIdentity.DefaultIssuer ? identity.AuthenticationType ?? "" : issuer, claim?.Value ?? "");
        }

        if (!isAuthenticated)
        {
            AppendTagged(ref input, Shared, "", "");
        }
        else if (!isIdentified)
        {
            // Sharing a partition among users who cannot be told apart would hand one the other's answers; so this fails, and says how to go on.
            throw new InvalidOperationException("The authenticated user has neither a subject ('sub'), nor a name identifier, nor a name to keep their idempotency keys apart from other users'. Have the authentication handler issue one, or set IdempotencyPolicy.Partition.");
        }
    }

    /// <summary>The same for a request that is named rather than there.</summary>
    public static void Append(IdempotencyRecordQuery request, ref PooledBytes input)
    {
        var (tag, first, second) = request switch
        {
            { Partition: { } partition } => (Custom, partition, ""),
            { Subject: { } subject } => (User, request.Issuer ?? "", subject),
            _ => (Shared, "", ""),
        };
        AppendTagged(ref input, tag, first, second);
    }

    private static void AppendTagged(ref PooledBytes input, byte tag, string first, string second)
    {
        input.Add(tag);
        input.AddPart(first);
        input.AddPart(second);
    }
}
