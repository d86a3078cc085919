using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore;

/// <summary>Wraps the application's authentication service, which handles every challenge and forbid: of results in minimal APIs and MVC, of filters, of <c>HttpContext.ForbidAsync()</c>, and of schemes that forward to others.</summary>
/// <remarks>Only here can a scheme's response be distinguished from the handler's own: a cookie scheme's redirect to its login page looks like any other redirect.</remarks>
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
        run.IsRefusedByScheme = true; // before the call, because the scheme may write so much that the response streams
        try
        {
            await refuse(context, scheme, properties);
        }
        catch
        {
            run.IsRefusedByScheme = false; // there was no response; the handler may catch the exception and return its own
            throw;
        }
    }
}
