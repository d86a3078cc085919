using BenchmarkDotNet.Attributes;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The whole middleware pipeline without a server: what the library itself takes is the difference to the bare handler.</summary>
[MemoryDiagnoser]
public class PipelineBenchmarks : IDisposable
{
    private Pipeline _pipeline = new();

    // A fresh store for each iteration, as for the store's own benchmark.
    [IterationSetup]
    public void Empty()
    {
        _pipeline.Dispose();
        _pipeline = new Pipeline();
        BareBones.Forget();
        _pipeline.ReplayAsync().GetAwaiter().GetResult();
    }

    [Benchmark(Baseline = true)]
    [InvocationCount(32_768)]
    public Task Bare() => _pipeline.BareAsync();

    [Benchmark]
    [InvocationCount(32_768)]
    public Task PassThrough() => _pipeline.PassThroughAsync();

    [Benchmark]
    [InvocationCount(32_768)]
    public Task FirstExecution() => _pipeline.FirstAsync();

    [Benchmark]
    [InvocationCount(32_768)]
    public Task FirstExecutionOfBareBones() => _pipeline.FirstOfBareBonesAsync();

    [Benchmark]
    [InvocationCount(32_768)]
    public Task WarmReplay() => _pipeline.ReplayAsync();

    [GlobalCleanup]
    public void Dispose()
    {
        _pipeline.Dispose();
        GC.SuppressFinalize(this);
    }
}
