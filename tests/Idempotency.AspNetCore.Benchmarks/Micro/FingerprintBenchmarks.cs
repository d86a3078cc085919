using BenchmarkDotNet.Attributes;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The canonical form of a JSON body and its hash.</summary>
[MemoryDiagnoser]
public class FingerprintBenchmarks
{
    private byte[] _json = [];

    [Params(
        "80 B", "80 B unsorted", "1 KB", "1 KB unsorted", "32 KB", "32 KB unsorted", "1 MB", "1 MB unsorted",
        "100 000 members", "64 levels", "long escapes", "long numbers")]
    public string Document { get; set; } = "";

    /// <summary>How much is read, for the throughput.</summary>
    internal static int SizeOf(string document) => Make(document).Length;

    [GlobalSetup]
    public void Make() => _json = Make(Document);

    [Benchmark]
    public void CanonicalAndHash() => Hash(_json);

    internal static void Hash(byte[] json)
    {
        var output = new PooledBytes((2 * json.Length) + 64);
        if (!CanonicalJson.TryAppend(json, ref output))
        {
            throw new InvalidOperationException("This document was to have a canonical form.");
        }

        _ = Sha256Hash.Of(output.Written);
        output.Dispose();
    }

    private static byte[] Make(string document)
    {
        var isSorted = !document.EndsWith("unsorted", StringComparison.Ordinal);
        return document switch
        {
            "80 B" or "80 B unsorted" => Documents.Customers(80, isSorted),
            "1 KB" or "1 KB unsorted" => Documents.Customers(1024, isSorted),
            "32 KB" or "32 KB unsorted" => Documents.Customers(32 * 1024, isSorted),
            "1 MB" or "1 MB unsorted" => Documents.Customers(1024 * 1024, isSorted),
            "100 000 members" => Documents.Wide(100_000, i => $"{99_999 - i:D6}"),
            "64 levels" => Documents.Deep(256 * 1024),
            "long escapes" => Documents.Escapes(1024 * 1024),
            _ => Documents.LongNumbers(1024 * 1024),
        };
    }
}
