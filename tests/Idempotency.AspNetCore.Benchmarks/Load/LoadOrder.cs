namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What a load generator is asked to do.</summary>
internal sealed record LoadOrder(int Port, Traffic Traffic, int Connections, double Seconds);
