using BenchmarkDotNet.Attributes;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Reading the key that a client wrote.</summary>
[MemoryDiagnoser]
public class KeyHeaderBenchmarks
{
    [Benchmark]
    public bool Bare() => IdempotencyKey.TryParse("8e03978e-40d5-43dd-bc93-6894a57f9324", out _, out _);

    [Benchmark]
    public bool Quoted() => IdempotencyKey.TryParse("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", out _, out _);
}
