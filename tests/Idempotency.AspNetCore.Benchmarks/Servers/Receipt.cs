namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What is answered: about as many bytes as were sent.</summary>
internal sealed record Receipt(int Id, string Name, bool Ok);
