using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Components.Endpoints;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Makes endpoints take part, or not.</summary>
public static class IdempotencyEndpointConventionBuilderExtensions
{
    /// <summary>Protects the endpoints by <see cref="IdempotencyOptions.DefaultPolicy"/>.</summary>
    /// <remarks>
    /// On a group: all of its endpoints, but not requests that only read; see <see cref="IdempotencyPolicy.Methods"/>. On <c>MapRazorComponents()</c>: its pages, but not the framework's own endpoints beside them.
    /// </remarks>
    public static TBuilder WithIdempotency<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.Protect(new IdempotentAttribute());

    /// <summary>Protects the endpoints by a named policy.</summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="policyName">The name given to <see cref="IdempotencyOptions.AddPolicy"/>. An unknown name fails at start-up.</param>
    public static TBuilder WithIdempotency<TBuilder>(this TBuilder builder, string policyName)
        where TBuilder : IEndpointConventionBuilder => builder.Protect(new IdempotentAttribute(policyName));

    /// <summary>Protects the endpoints by a policy of their own.</summary>
    public static TBuilder WithIdempotency<TBuilder>(this TBuilder builder, IdempotencyPolicy policy)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(policy);
        return builder.Protect(new PolicyMetadata(policy));
    }

    /// <summary>Takes the endpoints out, whatever their group or attributes say.</summary>
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
            // Scripts, the circuit and its connection: they are no pages, and what they need is theirs to decide.
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

    // Without its services there are no start-up checks either, and the endpoint would silently run twice.
    private static void RequireServices(EndpointBuilder endpoint)
    {
        var services = endpoint.ApplicationServices;
        if (services.GetService<PipelinePlacement>() is not null)
        {
            return;
        }

        // Every container has a scope factory. Where there is none, the builder of this kind of endpoint was not given the application's services
        // (a reverse proxy's routes, Razor components): then they are looked for in those of the request, before the endpoint runs.
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
        new($"Endpoint '{endpoint}' asks for idempotency, which is not registered. Call builder.Services.AddIdempotency().");
}
