namespace Idempotency.AspNetCore.Simulation;

/// <summary>A promise that was not kept.</summary>
/// <param name="Promise">The number of the promise in docs/guarantees.md, G1 to G8, or what else was expected.</param>
/// <param name="At">When, in ticks.</param>
/// <param name="What">What happened.</param>
/// <param name="Key">The key it happened to; null where it is more than one.</param>
internal sealed record Violation(string Promise, long At, string What, string? Key = null)
{
    public override string ToString() => $"{Promise} violated: t={TimeSpan.FromTicks(At).TotalSeconds:0.0000}s {What}";
}
