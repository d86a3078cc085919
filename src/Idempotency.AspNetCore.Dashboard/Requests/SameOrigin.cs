using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>Whether a request comes from the dashboard's own page, and not from another site in the browser of a signed-in operator.</summary>
/// <remarks>
/// <para>1. It has a header that a form cannot send, and that a script of another origin can send only after a CORS preflight. 2. Where the browser says which site it comes from
/// (<c>Sec-Fetch-Site</c>), that is this origin: a CORS policy of the application that lets other origins in does not open the dashboard to them.
/// 3. Where the browser does not (plain HTTP), but names the origin, that is the host the request was sent to.</para>
/// <para>Not the framework's antiforgery tokens: they need Data Protection keys that all servers behind a load balancer share, which an application without forms may not have.</para>
/// </remarks>
internal static class SameOrigin
{
    public const string Header = "Idempotency-Dashboard";

    /// <summary>Why a request is rejected; null when it comes from the page, or from a program that is no browser.</summary>
    public static string? ReasonAgainst(HttpRequest request)
    {
        if (!request.Headers.ContainsKey(Header))
        {
            return $"The header {Header} is missing. Send it with any value: it shows that the request does not come from a form of another site.";
        }

        if (request.Headers["Sec-Fetch-Site"] is { Count: > 0 } site)
        {
            return site == "same-origin" ? null : "The request comes from another site.";
        }

        return request.Headers.Origin is not { Count: > 0 } origin || IsHost(origin.ToString(), request.Host)
            ? null
            : "The request comes from another origin than the host it was sent to. If a proxy in between changes the Host header, have it send X-Forwarded-Host, and call app.UseForwardedHeaders().";
    }

    // The scheme is left out: a proxy that ends TLS changes it.
    private static bool IsHost(string origin, HostString host) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri)
        && string.Equals(uri.Host, host.Host, StringComparison.OrdinalIgnoreCase)
        && uri.Port == (host.Port ?? (uri.IsDefaultPort ? uri.Port : -1));
}
