using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace Idempotency.AspNetCore;

/// <summary>The partition of the caller: a part of the stored key, so that callers cannot reach each other's records.</summary>
/// <remarks>
/// <para>1. The policy's function, if there is one; null selects the shared partition.</para>
/// <para>2. An authenticated caller: for every authenticated identity (several schemes can each add one: of an application and of its user) the subject (<c>sub</c>, RFC 7519 section 4.1.2), or the name identifier,
/// or the name; otherwise the client application: <c>client_id</c> (RFC 8693 section 4.3), <c>azp</c> or <c>appid</c>. Each with its issuer, or with the authentication type if the claim was issued locally.</para>
/// <para>3. An anonymous caller: the shared partition.</para>
/// <para>The cases have different tags and all parts have length prefixes, so none can imitate another: a client is never equal to a user with the same name.</para>
/// </remarks>
internal static class CallerPartition
{
    private const byte Shared = 0;
    private const byte User = 1;
    private const byte Custom = 2;
    private const byte Client = 3;

    private static readonly string[] ClientClaims = ["client_id", "azp", "appid"];

    // Some issuers omit the subject from a user's token too. Without these claims, all users of a client would share its partition.
    private static readonly string[] PersonClaims = ["preferred_username", "upn", ClaimTypes.Upn, "unique_name", "email", ClaimTypes.Email];

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
        // The framework's context creates an anonymous user if it has none, so the feature is read instead.
        var user = context.GetType() == typeof(DefaultHttpContext) ? context.Features.Find<IHttpAuthenticationFeature>()?.User : context.User;
        foreach (var identity in user?.Identities ?? [])
        {
            if (!identity.IsAuthenticated)
            {
                continue;
            }

            isAuthenticated = true;
            // A name that is the client's (NameClaimType = "client_id") does not identify a user.
            var subject = identity.FindFirst("sub") ?? identity.FindFirst(ClaimTypes.NameIdentifier)
                ?? (ClientClaims.Contains(identity.NameClaimType) ? null : identity.FindFirst(identity.NameClaimType));
            var client = subject is null ? FirstOf(identity, ClientClaims) : null;
            var claim = subject ?? client;
            isIdentified |= claim is not null;
            var issuer = identity.FindFirst("iss")?.Value ?? claim?.Issuer ?? ClaimsIdentity.DefaultIssuer;
            issuer = issuer == ClaimsIdentity.DefaultIssuer ? identity.AuthenticationType ?? "" : issuer;
            AppendTagged(ref input, client is null ? User : Client, issuer, claim?.Value ?? "");
            if (client is not null && FirstOf(identity, PersonClaims) is { } person)
            {
                AppendTagged(ref input, User, issuer, person.Value);
            }
        }

        if (!isAuthenticated)
        {
            AppendTagged(ref input, Shared, "", "");
        }
        else if (!isIdentified)
        {
            // If callers that cannot be distinguished shared a partition, one could receive another's responses. So this fails, with the fix.
            throw new InvalidOperationException("The authenticated caller has no subject ('sub'), name identifier, name or client ('client_id', 'azp', 'appid') claim to separate its idempotency keys from those of other callers. Issue one of these claims, or set IdempotencyPolicy.Partition.");
        }
    }

    /// <summary>The partition of a request that an operator describes.</summary>
    public static void Append(IdempotencyRecordQuery request, ref PooledBytes input)
    {
        var (tag, first, second) = request switch
        {
            { Partition: { } partition } => (Custom, partition, ""),
            { Subject: { } subject } => (User, request.Issuer ?? "", subject),
            { ClientId: { } client } => (Client, request.Issuer ?? "", client),
            _ => (Shared, "", ""),
        };
        AppendTagged(ref input, tag, first, second);
    }

    private static Claim? FirstOf(ClaimsIdentity identity, string[] types)
    {
        foreach (var type in types)
        {
            if (identity.FindFirst(type) is { } claim)
            {
                return claim;
            }
        }

        return null;
    }

    private static void AppendTagged(ref PooledBytes input, byte tag, string first, string second)
    {
        input.Add(tag);
        input.AddPart(first);
        input.AddPart(second);
    }
}
