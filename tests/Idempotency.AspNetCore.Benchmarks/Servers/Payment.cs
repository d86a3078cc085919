namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What is sent.</summary>
internal sealed record Payment(string Name, decimal Amount);
