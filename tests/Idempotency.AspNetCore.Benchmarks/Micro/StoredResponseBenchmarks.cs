using System.Text;
using BenchmarkDotNet.Attributes;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The record format, written and read.</summary>
[MemoryDiagnoser]
public class StoredResponseBenchmarks
{
    private readonly StoredHeader[] _headers = [new("Content-Type", "application/json; charset=utf-8", false), new("ETag", "W/\"x\"", false)];
    private byte[] _body = [];
    private byte[] _payload = [];

    /// <summary>Bytes; from 1 KB they are compressed, as a store behind a network asks for.</summary>
    [Params(31, 32 * 1024)]
    public int Body { get; set; }

    [GlobalSetup]
    public void Make()
    {
        _body = Body < 100 ? Encoding.UTF8.GetBytes("""{"id":1,"name":"Ann","ok":true}""") : Documents.Customers(Body, isSorted: false);
        _payload = Encode();
    }

    [Benchmark]
    public byte[] Encode() => StoredResponse.Encode(200, null, _headers, _body, 1024);

    [Benchmark]
    public object? Decode() => StoredResponse.Decode(_payload, out _);
}
