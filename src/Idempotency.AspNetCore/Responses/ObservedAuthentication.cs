using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore;

/// <summary>The application's authentication service, through which every challenge and forbid goes, whatever asks for it: results of minimal APIs and MVC, filters, <c>HttpContext.ForbidAsync()</c>, schemes that forward to others.</summary>
/// <remarks>Only here can a scheme's response be told from the handler's own: a cookie scheme's redirect to its login page looks like any other redirect.</remarks>
internal sealed class ObservedAuthentication(IAuthenticationService inner) : IAuthenticationService
{
    public Task<AuthenticateResult> AuthenticateAsync(HttpContext context, string? scheme) => inner.AuthenticateAsync(context, scheme);

    public Task SignInAsync(HttpContext context, string? scheme, ClaimsPrincipal principal, AuthenticationProperties? properties) => inner.SignInAsync(context, scheme, principal, properties);

    public Task SignOutAsync(HttpContext context, string? scheme, AuthenticationProperties? properties) => inner.SignOutAsync(context, scheme, properties);

    public Task ChallengeAsync(HttpContext context, string? scheme, AuthenticationProperties? properties) =>
        RunOf(context) is { } run ? RefuseAsync(run, inner.ChallengeAsync, context, scheme, properties) : inner.ChallengeAsync(context, scheme, properties);

    public Task ForbidAsync(HttpContext context, string? scheme, AuthenticationProperties? properties) =>
        RunOf(context) is { } run ? RefuseAsync(run, inner.ForbidAsync, context, scheme, properties) : inner.ForbidAsync(context, scheme, properties);

    private static RequestExecution? RunOf(HttpContext context) => context.Features.Find<IIdempotencyFeature>() as RequestExecution;

    private static async Task RefuseAsync(RequestExecution run, Func<HttpContext, string?, AuthenticationProperties?, Task> refuse, HttpContext context, string? scheme, AuthenticationProperties? properties)
    {
        run.IsRefusedByScheme = true; // before: what the scheme writes may be so long that it streams
        try
        {
            await refuse(context, scheme, properties);
        }
        catch
        {
            run.IsRefusedByScheme = false; // no response came of it; the handler may catch this and give its own
            throw;
        }
    }
}
