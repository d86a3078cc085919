using System.IO.Compression;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What each level of Brotli takes and saves on JSON. The library uses quality 1.</summary>
internal static class CompressionLevels
{
    private const int Window = 18;
    private static readonly int[] Sizes = [2 * 1024, 32 * 1024, 256 * 1024];

    public static string Run()
    {
        var table = new Table(["quality", .. Sizes.SelectMany(size => (string[])[$"{size / 1024} KB become", "compress", "decompress"])]);
        for (var quality = 0; quality <= 5; quality++)
        {
            table.Add([quality == 1 ? "**1**" : $"{quality}", .. Sizes.SelectMany(size => CellsOf(Documents.Customers(size, isSorted: false), quality))]);
        }

        return $"An array of customers in JSON, window {Window}; processor time of the quickest of several batches.\n\n{table}";
    }

    private static string[] CellsOf(byte[] json, int quality)
    {
        var output = new byte[BrotliEncoder.GetMaxCompressedLength(json.Length)];
        var written = Compress(json);
        var compressed = output.AsSpan(0, written).ToArray();
        var back = new byte[json.Length];
        return
        [
            $"{(double)written / json.Length:P0}",
            $"{Stopclock.Nanoseconds(json, json => Compress(json)) / 1000:F0} µs",
            $"{Stopclock.Nanoseconds(compressed, compressed => Decompress(compressed)) / 1000:F0} µs",
        ];

        int Compress(byte[] content) => BrotliEncoder.TryCompress(content, output, out var length, quality, Window)
            ? length
            : throw new InvalidOperationException($"Quality {quality} compresses nothing.");

        void Decompress(byte[] bytes)
        {
            if (!BrotliDecoder.TryDecompress(bytes, back, out _))
            {
                throw new InvalidOperationException($"What quality {quality} wrote cannot be read.");
            }
        }
    }
}
