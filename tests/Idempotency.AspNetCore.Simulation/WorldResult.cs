namespace Idempotency.AspNetCore.Simulation;

/// <summary>What became of a world.</summary>
/// <param name="Plan">What it was like.</param>
/// <param name="Violation">The first promise that was not kept; null when all were.</param>
/// <param name="History">A digest of all that happened.</param>
/// <param name="Operations">Calls to the store.</param>
/// <param name="Events">What happened, one thing at a time.</param>
/// <param name="Runs">Runs of handlers.</param>
/// <param name="Faults">What went wrong, first first.</param>
/// <param name="Timeline">What happened in words, where that was asked for.</param>
internal sealed record WorldResult(WorldPlan Plan, Violation? Violation, ulong History, long Operations, long Events, int Runs, IReadOnlyList<InjectedFault> Faults, string Timeline);
