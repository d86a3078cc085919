using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps endpoints for operators.</summary>
public static class IdempotencyAdminEndpointRouteBuilderExtensions
{
    /// <summary>
    /// Maps endpoints that inspect and delete records and list abandoned claims. They require the authorization policy, and never return response bodies or
    /// header values.
    /// </summary>
    /// <remarks>
    /// <c>GET {prefix}/records/{storeKey}</c> and <c>DELETE {prefix}/records/{storeKey}</c>, where the stored key is the one in log events and
    /// spans; <c>POST {prefix}/records/search</c> with <c>{ "method", "path", "key", "partition", "issuer", "subject" }</c> finds a record by the values that a client
    /// knows (<see cref="IdempotencyRecordQuery"/>); <c>GET {prefix}/abandoned?limit=</c> lists abandoned claims (default limit 100, at most 10 000).
    /// <c>GET {prefix}/running?limit=</c> lists the claims that this process holds. <c>GET {prefix}/incidents</c> lists the last events of this process that require attention.
    /// </remarks>
    /// <param name="endpoints">The endpoints of the application.</param>
    /// <param name="authorizationPolicy">The name of the authorization policy that callers must meet.</param>
    /// <param name="prefix">The prefix of the paths. Default: <c>/idempotency</c>.</param>
    /// <returns>A builder for further conventions.</returns>
    /// <exception cref="InvalidOperationException"><c>AddIdempotency()</c> or <c>AddAuthorization()</c> was not called.</exception>
    public static IEndpointConventionBuilder MapIdempotencyAdmin(this IEndpointRouteBuilder endpoints, string authorizationPolicy, string prefix = "/idempotency")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentException.ThrowIfNullOrEmpty(authorizationPolicy);
        ArgumentException.ThrowIfNullOrEmpty(prefix);
        if (endpoints.ServiceProvider.GetService<IIdempotencyRecords>() is not { } records)
        {
            throw new InvalidOperationException("The services required by MapIdempotencyAdmin() are not registered. Call builder.Services.AddIdempotency().");
        }

        if (endpoints.ServiceProvider.GetService<IAuthorizationPolicyProvider>() is null)
        {
            throw new InvalidOperationException($"MapIdempotencyAdmin() requires authorization. Call builder.Services.AddAuthorization() with a policy named '{authorizationPolicy}', and app.UseAuthorization().");
        }

        var admin = new AdminEndpoints(records);
        var group = endpoints.MapGroup(prefix);
        group.MapGet("/records/{storeKey}", AdminEndpoints.Handler(admin.FindAsync));
        group.MapPost("/records/search", AdminEndpoints.Handler(admin.SearchAsync)); // in the body, because URLs are logged and a key must not be
        group.MapDelete("/records/{storeKey}", AdminEndpoints.Handler(admin.ForgetAsync));
        group.MapGet("/abandoned", AdminEndpoints.Handler(admin.ListAbandonedAsync));
        group.MapGet("/running", AdminEndpoints.Handler(admin.ListRunningAsync));
        group.MapGet("/incidents", AdminEndpoints.Handler(admin.ListIncidentsAsync));
        // Never protected, regardless of the group that they are mapped in: an operator's response must be current.
        group.RequireAuthorization(authorizationPolicy).DisableIdempotency();
        // Never anonymous: an AllowAnonymous of an outer group must not override the policy.
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
