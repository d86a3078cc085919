using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Abstractions;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Idempotency.AspNetCore;

/// <summary>Finds the endpoint behind a described operation, and with it the policy that is in force when a request comes.</summary>
internal static class DocumentedEndpoint
{
    /// <summary>How an operation is protected, or null when it does not take part.</summary>
    public static IdempotencyEndpoint? Of(ApiDescription description, IServiceProvider services)
    {
        // An action's description has its attributes, but not what conventions add to its endpoint (MapControllers().WithIdempotency()). The
        // endpoint has both, and names its action. An action that is mapped more than once (in two groups) is described only once: then as
        // taking part if it does anywhere, because a client that sends a key where none is needed loses nothing.
        var action = description.ActionDescriptor;
        var endpoints = (services.GetService<EndpointDataSource>()?.Endpoints ?? []).Where(endpoint => ReferenceEquals(endpoint.Metadata.GetMetadata<ActionDescriptor>(), action)).ToList();
        if (endpoints.Count == 0)
        {
            // A minimal API's description carries the metadata of its endpoint as it is.
            endpoints.Add(new Endpoint(null, new EndpointMetadataCollection(action.EndpointMetadata), action.DisplayName));
        }

        return endpoints.Select(endpoint => IdempotencyEndpoint.Find(endpoint, description.HttpMethod, services)).FirstOrDefault(found => found is not null);
    }
}
