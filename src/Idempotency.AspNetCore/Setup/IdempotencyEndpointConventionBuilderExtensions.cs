using Idempotency.AspNetCore;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Makes endpoints take part, or not.</summary>
public static class IdempotencyEndpointConventionBuilderExtensions
{
    /// <summary>Protects the endpoints by <see cref="IdempotencyOptions.DefaultPolicy"/>.</summary>
    /// <remarks>On a group: all of its endpoints, those that only read too. Take those out with <see cref="DisableIdempotency"/>.</remarks>
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
        builder.Add(endpoint =>
        {
            // Without its services there are no start-up checks either, and the endpoint would silently run twice.
            if (endpoint.ApplicationServices.GetService<PipelinePlacement>() is null)
            {
                throw new InvalidOperationException($"Endpoint '{endpoint.DisplayName}' asks for idempotency, which is not registered. Call builder.Services.AddIdempotency().");
            }

            endpoint.Metadata.Add(metadata);
        });
        return builder;
    }
}
