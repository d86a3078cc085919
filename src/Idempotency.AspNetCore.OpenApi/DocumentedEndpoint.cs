using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Abstractions;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Idempotency.AspNetCore;

/// <summary>Finds the endpoint of a described operation, and with it the effective policy.</summary>
internal static class DocumentedEndpoint
{
    /// <summary>Returns how an operation is protected, or null if it is not.</summary>
    public static IdempotencyEndpoint? Of(ApiDescription description, IServiceProvider services)
    {
        // The description of an action has its attributes, but not the conventions of its endpoint (MapControllers().WithIdempotency()). The
        // endpoint has both, and references its action. An action that is mapped several times (in two groups) is described once: as
        // protected if it is protected anywhere, because a client that sends an unneeded key loses nothing.
        var action = description.ActionDescriptor;
        var endpoints = (services.GetService<EndpointDataSource>()?.Endpoints ?? []).Where(endpoint => ReferenceEquals(endpoint.Metadata.GetMetadata<ActionDescriptor>(), action)).ToList();
        if (endpoints.Count == 0)
        {
            // The description of a minimal API has the metadata of its endpoint.
            endpoints.Add(new Endpoint(null, new EndpointMetadataCollection(action.EndpointMetadata), action.DisplayName));
        }

        return endpoints.Select(endpoint => IdempotencyEndpoint.Find(endpoint, description.HttpMethod, services)).FirstOrDefault(found => found is not null);
    }
}
