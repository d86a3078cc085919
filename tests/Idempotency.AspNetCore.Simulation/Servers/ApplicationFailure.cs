namespace Idempotency.AspNetCore.Simulation;

/// <summary>What a handler throws.</summary>
internal sealed class ApplicationFailure() : Exception("The application has failed.");
