using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Components.Endpoints;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Opts endpoints in to idempotency, or out of it.</summary>
public static class IdempotencyEndpointConventionBuilderExtensions
{
    /// <summary>Protects the endpoints with <see cref="IdempotencyOptions.DefaultPolicy"/>.</summary>
    /// <remarks>
    /// On a group, it applies to all endpoints, except for requests with safe methods; see <see cref="IdempotencyPolicy.Methods"/>. On <c>MapRazorComponents()</c>, it applies to the pages, but not to the framework's own endpoints.
    /// </remarks>
    public static TBuilder WithIdempotency<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.Protect(new IdempotentAttribute());

    /// <summary>Protects the endpoints with a named policy.</summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="policyName">The name that was passed to <see cref="IdempotencyOptions.AddPolicy"/>. An unknown name fails at start-up.</param>
    public static TBuilder WithIdempotency<TBuilder>(this TBuilder builder, string policyName)
        where TBuilder : IEndpointConventionBuilder => builder.Protect(new IdempotentAttribute(policyName));

    /// <summary>Protects the endpoints with their own policy.</summary>
    public static TBuilder WithIdempotency<TBuilder>(this TBuilder builder, IdempotencyPolicy policy)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(policy);
        return builder.Protect(new PolicyMetadata(policy));
    }

    /// <summary>Excludes the endpoints from idempotency, regardless of their group or attributes.</summary>
    public static TBuilder DisableIdempotency<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Add(static endpoint => endpoint.Metadata.Add(new DisableIdempotencyAttribute()));
        return builder;
    }

    private static TBuilder Protect<TBuilder>(this TBuilder builder, IIdempotencyMetadata metadata)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (!ProcessRegistration.IsSeen)
        {
            throw new InvalidOperationException("WithIdempotency() was called, but idempotency is not registered. Call builder.Services.AddIdempotency().");
        }

        // A group knows its application's services at once; a single endpoint learns them when it is built.
        if (builder is IEndpointRouteBuilder group && group.ServiceProvider.GetService<PipelinePlacement>() is null)
        {
            throw NotRegistered(group.ToString());
        }

        builder.Add(endpoint =>
        {
            // Scripts, the circuit and its connection are not pages, and the framework handles their retries.
            if (builder is RazorComponentsEndpointConventionBuilder && !endpoint.Metadata.OfType<ComponentTypeMetadata>().Any())
            {
                return;
            }

            RequireServices(endpoint);
            endpoint.Metadata.Add(metadata);
            if (builder is RouteHandlerBuilder)
            {
                endpoint.Metadata.Add(OwnMark.Here);
            }
        });
        return builder;
    }

    // Without the services, there are no start-up checks either, and the endpoint would silently run twice.
    private static void RequireServices(EndpointBuilder endpoint)
    {
        var services = endpoint.ApplicationServices;
        if (services.GetService<PipelinePlacement>() is not null)
        {
            return;
        }

        // Every container has a scope factory. If there is none, the builder of this kind of endpoint was not given the application's services
        // (routes of a reverse proxy, Razor components), and the services of the request are checked before the endpoint runs.
        if (services.GetService<IServiceScopeFactory>() is not null)
        {
            throw NotRegistered(endpoint.DisplayName);
        }

        if (endpoint.RequestDelegate is { } handler)
        {
            endpoint.RequestDelegate = context => context.RequestServices.GetService<PipelinePlacement>() is null ? throw NotRegistered(endpoint.DisplayName) : handler(context);
        }
    }

    private static InvalidOperationException NotRegistered(string? endpoint) =>
        new($"Endpoint '{endpoint}' opts in to idempotency, but the idempotency services are not registered. Call builder.Services.AddIdempotency().");
}
