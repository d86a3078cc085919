using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.SignalR;

namespace Idempotency.AspNetCore;

/// <summary>Finds endpoints whose responses cannot be recorded, and says what to do instead.</summary>
/// <remarks>
/// With gRPC JSON transcoding, one method has two endpoints: the gRPC call, which is rejected, and the HTTP route, which is protected like any other. Metadata of the method applies to both, so
/// the gRPC endpoint of a method with a protected HTTP route is not an error.
/// </remarks>
internal static class UnsuitableEndpoints
{
    // By name, because the packages are not part of the framework.
    private const string GrpcType = "application/grpc";
    private const string GrpcMethod = "Grpc.AspNetCore.Server.GrpcMethodMetadata";
    private const string JsonTranscoding = "Microsoft.AspNetCore.Grpc.JsonTranscoding.GrpcJsonTranscodingMetadata";
    private const string OfUnknownGrpcMethods = "grpcunimplemented";

    /// <summary>The reason why an endpoint cannot be protected, known at start-up; null if it can.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="transcoded">The gRPC methods that have a protected HTTP route, see <see cref="TranscodedMethod"/>.</param>
    public static string? ReasonAgainst(Endpoint endpoint, IReadOnlySet<object> transcoded)
    {
        if (IsGrpc(endpoint, out var method) && (method is null || !transcoded.Contains(method)))
        {
            return $"Endpoint '{endpoint.DisplayName}' opts in to idempotency, but is a gRPC method: gRPC responses are streams that end with trailers, and cannot be recorded. Exclude it with .DisableIdempotency(), or with [DisableIdempotency] on the method, and run the work once with IIdempotentExecutor.";
        }

        return endpoint.Metadata.GetMetadata<HubMetadata>() is not null
            ? $"Endpoint '{endpoint.DisplayName}' opts in to idempotency, but is a SignalR hub: a connection has no response to replay. Exclude it with .DisableIdempotency(), and run the work of a hub method once with IIdempotentExecutor."
            : null;
    }

    /// <summary>The gRPC method whose HTTP route the endpoint is; null if it is not such a route.</summary>
    public static object? TranscodedMethod(Endpoint endpoint) =>
        endpoint.Metadata.Any(static metadata => metadata.GetType().FullName == JsonTranscoding) && MetadataOfGrpc(endpoint) is { } grpc ? MethodOf(grpc) : null;

    /// <summary>Whether an endpoint accepts only gRPC calls, so that the middleware rejects all of its requests.</summary>
    public static bool IsGrpc(Endpoint endpoint) => IsGrpc(endpoint, out _)
        || (endpoint is RouteEndpoint route && route.RoutePattern.ParameterPolicies.Values.Any(static policies => policies.Any(static policy => policy.Content == OfUnknownGrpcMethods)));

    private static bool IsGrpc(Endpoint endpoint, out object? method)
    {
        method = null;
        if (MetadataOfGrpc(endpoint) is not { } grpc || endpoint.Metadata.Any(static metadata => metadata.GetType().FullName == JsonTranscoding))
        {
            return false;
        }

        method = MethodOf(grpc);
        return true;
    }

    private static object? MetadataOfGrpc(Endpoint endpoint) => endpoint.Metadata.FirstOrDefault(static metadata => metadata.GetType().FullName == GrpcMethod);

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "gRPC reads the property itself. Without it, the application would fail to start with the message above.")]
    private static object? MethodOf(object metadata) => metadata.GetType().GetProperty("Method")?.GetValue(metadata);

    /// <summary>Whether a request is a gRPC call, directly or through a proxy.</summary>
    public static bool IsGrpcCall(HttpContext context) =>
        context.Request.ContentType is { } type
        && type.StartsWith(GrpcType, StringComparison.OrdinalIgnoreCase)
        && (type.Length == GrpcType.Length || type[GrpcType.Length] is '+' or '-' or ';' or ' '); // application/grpc, grpc+proto, grpc-web

    /// <summary>Rejects a gRPC call, over HTTP and over gRPC: a response without a message has the status in its headers.</summary>
    public static void RejectGrpcCall(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
        response.Headers["grpc-status"] = "12"; // UNIMPLEMENTED
        response.Headers["grpc-message"] = "This method is protected by idempotency and cannot be called over gRPC. Call its HTTP route.";
    }
}
