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
    /// Maps endpoints with which an operator looks at a record, forgets it, and lists abandoned claims. Nothing is mapped without this call, and
    /// every endpoint requires the authorization policy. They tell no response bodies and no header values.
    /// </summary>
    /// <remarks>
    /// <c>GET {prefix}/records/{storeKey}</c> and <c>DELETE {prefix}/records/{storeKey}</c>, where the stored key is the one in log events and
    /// spans; <c>POST {prefix}/records/search</c> with <c>{ "method", "path", "key", "partition", "issuer", "subject" }</c> finds it by what a client
    /// knows (<see cref="IdempotencyRecordQuery"/>); <c>GET {prefix}/abandoned?limit=</c> lists abandoned claims, 100 unless told, at most 10 000.
    /// <c>GET {prefix}/running?limit=</c> lists the claims that this process holds, and <c>GET {prefix}/incidents</c> what a person should look at.
    /// </remarks>
    /// <param name="endpoints">The application's endpoints.</param>
    /// <param name="authorizationPolicy">The name of the authorization policy that callers must meet.</param>
    /// <param name="prefix">What the paths start with. Default: <c>/idempotency</c>.</param>
    /// <returns>The endpoints, for more conventions.</returns>
    /// <exception cref="InvalidOperationException"><c>AddIdempotency()</c> or <c>AddAuthorization()</c> was not called.</exception>
    public static IEndpointConventionBuilder MapIdempotencyAdmin(this IEndpointRouteBuilder endpoints, string authorizationPolicy, string prefix = "/idempotency")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentException.ThrowIfNullOrEmpty(authorizationPolicy);
        ArgumentException.ThrowIfNullOrEmpty(prefix);
        if (endpoints.ServiceProvider.GetService<IIdempotencyRecords>() is not { } records)
        {
            throw new InvalidOperationException("MapIdempotencyAdmin() needs idempotency's services. Call builder.Services.AddIdempotency() first.");
        }

        if (endpoints.ServiceProvider.GetService<IAuthorizationPolicyProvider>() is null)
        {
            throw new InvalidOperationException($"MapIdempotencyAdmin() needs authorization. Call builder.Services.AddAuthorization() with a policy named '{authorizationPolicy}', and app.UseAuthorization().");
        }

        var admin = new AdminEndpoints(records);
        var group = endpoints.MapGroup(prefix);
        group.MapGet("/records/{storeKey}", AdminEndpoints.Handler(admin.FindAsync));
        group.MapPost("/records/search", AdminEndpoints.Handler(admin.SearchAsync)); // a body, because addresses get into logs and a key must not
        group.MapDelete("/records/{storeKey}", AdminEndpoints.Handler(admin.ForgetAsync));
        group.MapGet("/abandoned", AdminEndpoints.Handler(admin.ListAbandonedAsync));
        group.MapGet("/running", AdminEndpoints.Handler(admin.ListRunningAsync));
        group.MapGet("/incidents", AdminEndpoints.Handler(admin.ListIncidentsAsync));
        // Not protected themselves, whatever the group they are mapped in says: an operator's answer must be of now.
        group.RequireAuthorization(authorizationPolicy).DisableIdempotency();
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
