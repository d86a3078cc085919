using System.Text;
using BenchmarkDotNet.Attributes;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The canonical form of a JSON body and its hash.</summary>
[MemoryDiagnoser]
public class FingerprintBenchmarks
{
    private byte[] _json = [];

    [Params("80 B", "80 B unsorted", "1 KB", "32 KB", "32 KB unsorted", "1 MB", "wide", "deep", "escapes", "numbers")]
    public string Document { get; set; } = "";

    [GlobalSetup]
    public void Make() => _json = Encoding.UTF8.GetBytes(Document switch
    {
        "80 B" => """{"amount":12.5,"email":"ann@example.com","name":"Ann Example","note":"hello"}""",
        "80 B unsorted" => """{"name":"Ann Example","email":"ann@example.com","amount":12.5,"note":"hello"}""",
        "1 KB" => Customers(8, sorted: true),
        "32 KB" => Customers(260, sorted: true),
        "32 KB unsorted" => Customers(260, sorted: false),
        "1 MB" => Customers(8000, sorted: true),
        "wide" => "{" + string.Join(",", Enumerable.Range(0, 100_000).Reverse().Select(i => $"\"{i:D6}\":0")) + "}",
        "deep" => string.Concat(Enumerable.Repeat("{\"b\":1,\"a\":", 63)) + Customers(2000, sorted: false) + new string('}', 63),
        "escapes" => "\"" + string.Concat(Enumerable.Repeat("\\u0041", 150_000)) + "\"",
        _ => "[" + string.Join(",", Enumerable.Range(0, 1000).Select(i => new string('9', 1000) + $"e{i}")) + "]",
    });

    [Benchmark]
    public Sha256Hash CanonicalAndHash()
    {
        var output = new PooledBytes((2 * _json.Length) + 64);
        CanonicalJson.TryAppend(_json, ref output);
        var hash = Sha256Hash.Of(output.Written);
        output.Dispose();
        return hash;
    }

    private static string Customers(int count, bool sorted) => "[" + string.Join(",", Enumerable.Range(0, count).Select(i => sorted
        ? $$"""{"active":true,"email":"c{{i}}@example.com","id":{{i}}.5,"name":"customer number {{i}}","tags":["a","b\n"],"text":"some longer text here"}"""
        : $$"""{"name":"customer number {{i}}","id":{{i}}.5,"email":"c{{i}}@example.com","active":true,"tags":["a","b\n"],"text":"some longer text here"}""")) + "]";
}

/// <summary>The record format, the store and the cache.</summary>
[MemoryDiagnoser]
public class RecordBenchmarks : IDisposable
{
    private readonly byte[] _body = Encoding.UTF8.GetBytes("""{"id":1,"name":"Ann","ok":true}""");
    private readonly StoredHeader[] _headers = [new("Content-Type", "application/json; charset=utf-8", false), new("ETag", "W/\"x\"", false)];
    private readonly InMemoryIdempotencyStore _store = new(Microsoft.Extensions.Options.Options.Create(new InMemoryIdempotencyStoreOptions()), TimeProvider.System);
    private readonly LocalCache _cache = new(Microsoft.Extensions.Options.Options.Create(new IdempotencyOptions()), TimeProvider.System);
    private readonly Sha256Hash _known = Sha256Hash.Of("known"u8);
    private byte[] _payload = [];
    private long _number;

    [GlobalSetup]
    public void Make()
    {
        _payload = StoredResponse.Encode(200, null, _headers, _body, 1024);
        _cache.Set(_known, new CompletedRecord(_known, _payload, long.MaxValue));
    }

    [Benchmark]
    public byte[] Encode() => StoredResponse.Encode(200, null, _headers, _body, 1024);

    [Benchmark]
    public object? Decode() => StoredResponse.Decode(_payload, out _);

    [Benchmark]
    public bool KeyHeader() => IdempotencyKey.TryParse("8e03978e-40d5-43dd-bc93-6894a57f9324", out _, out _);

    [Benchmark]
    public bool LocalCacheHit() => _cache.TryGet(_known, out _);

    [Benchmark]
    public async Task<bool> InMemoryClaimAndRelease()
    {
        var key = Sha256Hash.Of(BitConverter.GetBytes(_number++));
        var owner = Guid.NewGuid();
        await _store.ClaimAsync(key, new IdempotencyClaim { Owner = owner, Fingerprint = key, Attempt = 1, Lease = TimeSpan.FromMinutes(1), Retention = TimeSpan.FromHours(1) }, default);
        return await _store.ReleaseAsync(key, owner, default);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _store.Dispose();
        GC.SuppressFinalize(this);
    }
}
