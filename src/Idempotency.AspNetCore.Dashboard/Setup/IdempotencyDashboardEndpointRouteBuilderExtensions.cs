using System.Diagnostics.CodeAnalysis;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps the dashboard for operators.</summary>
public static class IdempotencyDashboardEndpointRouteBuilderExtensions
{
    /// <summary>
    /// Maps a page on which operators see what this server's protected endpoints and functions do, what needs a person, and the record of a request, which they can forget. The page and everything it loads
    /// require the authorization policy. It shows no bodies, no header values and no idempotency keys.
    /// </summary>
    /// <remarks>
    /// <para>The page is at <c>{pattern}/</c>. All addresses in it are relative, so it works below <c>UsePathBase()</c> and behind a proxy that adds a prefix. It can share its prefix with <c>MapIdempotencyAdmin()</c>.</para>
    /// <para>The library's meter is listened to from the first viewer until five minutes after the last; before and after that the dashboard costs nothing.</para>
    /// </remarks>
    /// <param name="endpoints">The application's endpoints.</param>
    /// <param name="authorizationPolicy">The name of the authorization policy that viewers must meet.</param>
    /// <param name="pattern">What the paths start with. Default: <c>/idempotency</c>.</param>
    /// <returns>The endpoints, for more conventions.</returns>
    /// <exception cref="ArgumentException">No authorization policy is named.</exception>
    /// <exception cref="InvalidOperationException">The policy is not registered, or <c>AddIdempotency()</c> or <c>AddAuthorization()</c> was not called.</exception>
    public static IEndpointConventionBuilder MapIdempotencyDashboard(this IEndpointRouteBuilder endpoints, string authorizationPolicy, [StringSyntax("Route")] string pattern = "/idempotency")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(pattern);
        if (string.IsNullOrWhiteSpace(authorizationPolicy))
        {
            throw new ArgumentException("The dashboard needs an authorization policy. Pass the name of one that only operators meet: app.MapIdempotencyDashboard(\"operators\").", nameof(authorizationPolicy));
        }

        if (endpoints.ServiceProvider.GetService<IIdempotencyRecords>() is null)
        {
            throw new InvalidOperationException("MapIdempotencyDashboard() needs idempotency's services. Call builder.Services.AddIdempotency() first.");
        }

        // Here and not at the first request: a dashboard whose policy is misspelled would return an error to every operator, at the moment they need it.
        if (endpoints.ServiceProvider.GetService<IAuthorizationPolicyProvider>() is not { } policies || policies.GetPolicyAsync(authorizationPolicy).GetAwaiter().GetResult() is null)
        {
            throw new InvalidOperationException(
                $"MapIdempotencyDashboard() names the authorization policy '{authorizationPolicy}', which is not registered. Add it with builder.Services.AddAuthorization(options => options.AddPolicy(\"{authorizationPolicy}\", policy => policy.RequireRole(...))), and call app.UseAuthorization().");
        }

        var dashboard = new DashboardEndpoints(endpoints.ServiceProvider);
        var group = endpoints.MapGroup(pattern);
        dashboard.Map(group);
        // Not protected themselves, whatever the group they are mapped in says: what an operator sees must be of now.
        group.RequireAuthorization(authorizationPolicy).DisableIdempotency().ExcludeFromDescription();
        // Nor open to anyone: what a group around them allows must not outweigh the policy.
        ((IEndpointConventionBuilder)group).Finally(static endpoint =>
        {
            foreach (var open in endpoint.Metadata.OfType<IAllowAnonymous>().ToList())
            {
                endpoint.Metadata.Remove(open);
            }
        });
        return group;
    }
}
