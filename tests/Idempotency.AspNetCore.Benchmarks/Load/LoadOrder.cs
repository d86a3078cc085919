namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What a load generator is asked to do.</summary>
internal sealed record LoadOrder(Traffic Traffic, int Connections, double Seconds);
