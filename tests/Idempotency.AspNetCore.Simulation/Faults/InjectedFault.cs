namespace Idempotency.AspNetCore.Simulation;

/// <summary>A fault that happened.</summary>
/// <param name="Id">Which: where it happens in a world and what it is, so that it is the same one in a run without some of the others.</param>
/// <param name="Kind">What it is.</param>
internal readonly record struct InjectedFault(ulong Id, FaultKind Kind);
