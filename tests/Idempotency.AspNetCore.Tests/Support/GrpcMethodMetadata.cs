namespace Grpc.AspNetCore.Server;

/// <summary>Stands in for the metadata of the gRPC package, which is known by its name.</summary>
internal sealed class GrpcMethodMetadata;
