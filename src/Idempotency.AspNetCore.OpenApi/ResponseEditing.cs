using Microsoft.OpenApi;

namespace Idempotency.AspNetCore;

/// <summary>Adds to the documentation of an application, without changing its own texts or shared components.</summary>
internal static class ResponseEditing
{
    /// <summary>
    /// An operation's response for a status, created if there is none. A reference to a component is replaced by a copy of the component, because other
    /// operations can share it; null if the component does not exist (yet), so that nothing can be added without losing it.
    /// </summary>
    public static OpenApiResponse? OwnResponse(this OpenApiOperation operation, string status)
    {
        operation.Responses ??= [];
        operation.Responses.TryGetValue(status, out var known);
        var response = known switch
        {
            null => new OpenApiResponse(),
            OpenApiResponse own => own,
            OpenApiResponseReference { RecursiveTarget: { } shared } => CopyOf(shared),
            _ => null,
        };
        if (response is not null)
        {
            operation.Responses[status] = response;
        }

        return response;
    }

    public static bool HasHeader(this OpenApiResponse response, string name) =>
        response.Headers?.Keys.Contains(name, StringComparer.OrdinalIgnoreCase) ?? false;

    /// <summary>Adds a header, unless the application documents it.</summary>
    public static void AddHeader(this OpenApiResponse response, string name, OpenApiHeader header)
    {
        if (!response.HasHeader(name))
        {
            response.Headers ??= new Dictionary<string, IOpenApiHeader>();
            response.Headers.Add(name, header);
        }
    }

    private static OpenApiResponse CopyOf(OpenApiResponse shared)
    {
        var copy = (OpenApiResponse)shared.CreateShallowCopy();
        copy.Headers = copy.Headers is { } headers ? new Dictionary<string, IOpenApiHeader>(headers) : null;
        copy.Content = copy.Content?.ToDictionary(content => content.Key, content => new OpenApiMediaType(content.Value)
        {
            Examples = content.Value.Examples is { } examples ? new Dictionary<string, IOpenApiExample>(examples) : null,
        });
        return copy;
    }
}
