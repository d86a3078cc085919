namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Canonical JSON in the worst cases: time for each byte at n, 2n, 4n and 8n, and the exponent by which the time grows.</summary>
internal static class JsonGrowth
{
    private const int Smallest = 128 * 1024;

    private static readonly (string Name, Func<int, byte[]> Make)[] Cases =
    [
        ("customers, sorted", size => Documents.Customers(size, isSorted: true)),
        ("customers, unsorted", size => Documents.Customers(size, isSorted: false)),
        ("one object, members in order", size => Documents.Wide(size / 11, i => $"{i:D6}")),
        ("one object, members in reverse (100 000 at 8n)", size => Documents.Wide(size / 11, i => $"{999_999 - i:D6}")),
        ("one object, members shuffled", size => Documents.Wide(size / 11, i => $"{Shuffled(i):D6}")),
        ("names that differ in their last bytes only", size => Documents.Wide(size / 205, i => new string('a', 194) + $"{Shuffled(i):D6}")),
        ("long names of many lengths, each the start of the next", size => Documents.Wide((int)Math.Sqrt(2.0 * size), i => new string('a', (int)Math.Sqrt(2.0 * size) - i))),
        ("organ pipes: members up, then down", size => Documents.Wide(size / 11, i => $"{(i < size / 22 ? 2 * i : (2 * ((size / 11) - i)) - 1):D6}")),
        ("64 levels, unsorted at each", Documents.Deep),
        ("names twice, refused", size => Documents.Wide(size / 11, i => $"{i / 2:D6}")),
        ("one name all over, refused", size => Documents.Wide(size / 11, _ => "000000")),
        ("a name twice, found last, refused", size => Documents.Wide(size / 11, i => $"{Shuffled(i == (size / 11) - 1 ? 0 : i):D6}")),
        ("small objects, many", size => System.Text.Encoding.UTF8.GetBytes("[" + string.Join(",", Enumerable.Repeat("""{"b":1,"a":2}""", size / 14)) + "]")),
        ("one string of escapes", Documents.Escapes),
        ("names of escapes, shuffled", size => Documents.Wide(size / 17, i => $"\\u{0x100 + (Shuffled(i) / 1000):x4}\\u{0x100 + (Shuffled(i) % 1000):x4}")),
        ("numbers of 1000 digits", Documents.LongNumbers),
        ("one number", Documents.OneNumber),
        ("empty arrays", size => System.Text.Encoding.UTF8.GetBytes("[" + string.Join(",", Enumerable.Repeat("[]", size / 3)) + "]")),
        ("white space", size => System.Text.Encoding.UTF8.GetBytes(new string(' ', size) + "0")),
    ];

    public static string Run()
    {
        Stopclock.Compile([.. Cases.Select(document => document.Make(4096))], Canonicalize);
        var table = new Table("JSON", "n = 128 KiB", "2n", "4n", "8n", "exponent");
        foreach (var (name, make) in Cases)
        {
            Console.Error.Write($"\r{name,-60}");
            var documents = ((int[])[1, 2, 4, 8]).Select(times => make(times * Smallest)).ToList();
            var times = documents.Select(json => Stopclock.Nanoseconds(json, Canonicalize)).ToList();
            table.Add([
                name,
                .. documents.Zip(times, (json, time) => $"{time / json.Length:F2} ns/B"),
                $"{Exponent(documents[0].Length, times[0], documents[^1].Length, times[^1]):F2}",
            ]);
        }

        Console.Error.WriteLine();
        return $"Processor time of the quickest of several batches. 1.00 is linear; n log n is about 1.1 here, and a little more where what is sorted outgrows the caches.\n\n{table}";
    }

    /// <summary>Those that are refused fall back to their bytes: what counts is how long it takes to find out.</summary>
    private static void Canonicalize(byte[] json)
    {
        var output = new PooledBytes((2 * json.Length) + 64);
        CanonicalJson.TryAppend(json, ref output);
        output.Dispose();
    }

    private static double Exponent(double size, double time, double largerSize, double largerTime) =>
        Math.Log(largerTime / time) / Math.Log(largerSize / size);

    /// <summary>Each number below a million once, in no order a sort could like.</summary>
    private static int Shuffled(int i) => (int)(i * 618_033L % 1_000_000);
}
