namespace Idempotency.AspNetCore.Simulation;

/// <summary>What a client library throws when it cannot reach its server.</summary>
internal sealed class NetworkException(string message) : IOException(message);
