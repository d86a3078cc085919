using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.SignalR;

namespace Idempotency.AspNetCore;

/// <summary>Endpoints whose answers are no answers that can be kept, and what to do instead.</summary>
internal static class UnsuitableEndpoints
{
    // By name: the package is not part of the framework.
    private const string GrpcType = "application/grpc";
    private const string GrpcMethod = "Grpc.AspNetCore.Server.GrpcMethodMetadata";

    /// <summary>Why an endpoint must not be protected; null when it may. Known at start-up.</summary>
    public static string? ReasonAgainst(Endpoint endpoint)
    {
        foreach (var metadata in endpoint.Metadata)
        {
            if (metadata.GetType().FullName == GrpcMethod)
            {
                return $"Endpoint '{endpoint.DisplayName}' asks for idempotency, but is a gRPC method: its status comes in trailers, after streams that cannot be recorded. Take it out with .DisableIdempotency(), and run the work in it once with IIdempotentExecutor.";
            }

            if (metadata is HubMetadata)
            {
                return $"Endpoint '{endpoint.DisplayName}' asks for idempotency, but is a SignalR hub: a connection is no answer that can be given again. Take it out with .DisableIdempotency(), and run the work of a hub method once with IIdempotentExecutor.";
            }
        }

        return null;
    }

    /// <summary>Whether this request only shows a Razor page. One endpoint both shows and handles it, and browsers have no key to show one.</summary>
    public static bool IsPageShown(HttpContext context, Endpoint endpoint) =>
        (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method))
        && endpoint.Metadata.GetMetadata<PageActionDescriptor>() is not null;

    /// <summary>Whether a request is a gRPC call all the same, on its way through a proxy for one.</summary>
    public static bool IsGrpcCall(HttpContext context) =>
        context.Request.ContentType is { } type
        && type.StartsWith(GrpcType, StringComparison.OrdinalIgnoreCase)
        && (type.Length == GrpcType.Length || type[GrpcType.Length] is '+' or '-' or ';' or ' '); // application/grpc, grpc+proto, grpc-web
}
