using System.Text;
using BenchmarkDotNet.Attributes;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Giving a recorded answer again, once it is found: status, headers, marks, body.</summary>
[MemoryDiagnoser]
public class ReplayWriterBenchmarks
{
    private readonly PipelineRequest _request = new(Encoding.UTF8.GetBytes("{}"));
    private readonly IdempotencyPolicy _policy = new();
    private readonly ResponseRules _rules = new(new IdempotencyPolicy(), []);
    private readonly byte[] _body = Encoding.UTF8.GetBytes("""{"id":1,"name":"Ann","ok":true}""");
    private StoredResponse? _stored;

    [GlobalSetup]
    public void Make() => _stored = StoredResponse.Decode(
        StoredResponse.Encode(200, null, [new("Content-Type", "application/json; charset=utf-8", false), new("ETag", "W/\"x\"", false)], _body, 1024), out _);

    /// <summary>What the harness takes for itself: a request made ready.</summary>
    [Benchmark(Baseline = true)]
    public HttpContext RequestAlone() => _request.Next("key");

    [Benchmark]
    public ValueTask Replay() => ResponseReplay.WriteAsync(_request.Next("key"), _policy, _rules, _stored!, _body, TimeSpan.FromHours(1));
}
