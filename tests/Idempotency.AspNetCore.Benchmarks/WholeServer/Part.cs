namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Variants that run under the same number of connections. Parts of one comparison may share servers.</summary>
internal sealed record Part(IReadOnlyList<Variant> Variants, int Connections);
