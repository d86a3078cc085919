using System.Globalization;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The library's local cache beside the framework's <c>MemoryCache</c>, with the same bounds: what a call costs, what a flood does, what is still there when it is asked for.</summary>
internal static class LocalCacheComparison
{
    private const int Entries = 10_000;
    private const long Bytes = 64L << 20;
    private const int Payload = 200;
    private const int FloodTimes = 20;
    private const int SkewedKeyCount = 100_000;
    private const int SkewedDraws = 1_000_000;

    private static readonly StoreKey[] Keys = [.. Enumerable.Range(0, FloodTimes * Entries).Select(i => new StoreKey(Sha256Hash.Of(BitConverter.GetBytes(i))))];

    private static CompletedRecord Record => new(default, new byte[Payload], long.MaxValue);

    public static void Run(Arguments arguments)
    {
        var page = new Page(arguments.IsWritten);
        page.Add("local-cache", arguments.CommandLine, $"{Calls()}\n\n{FloodOf()}\n\n{HitRates()}");
    }

    private static CompletedRecords Own(long bytes = Bytes) => LocalCaches.Create(options => (options.LocalCacheMaxEntries, options.LocalCacheMaxBytes) = (Entries, bytes));

    private static Table Calls()
    {
        var own = Own();
        using var memory = new MemoryCacheRecords(Entries, Bytes);
        var record = Record;
        for (var i = 0; i < Entries; i++)
        {
            own.Set(Keys[i], record);
            memory.Set(Keys[i], record);
        }

        var (ownNext, memoryNext) = (0, 0);
        (string Call, Action<int> Own, Action<int> Memory)[] calls =
        [
            ("lookup that finds the record", _ => own.TryGet(Keys[Entries / 2], out var _), _ => memory.TryGet(Keys[Entries / 2], out var _)),
            ("lookup that finds none", _ => own.TryGet(default, out var _), _ => memory.TryGet(default, out var _)),
            ("set of a key that is there", _ => own.Set(Keys[Entries / 2], record), _ => memory.Set(Keys[Entries / 2], record)),
            ("set of a new key when full", _ => own.Set(Keys[ownNext = (ownNext + 1) % Keys.Length], record), _ => memory.Set(Keys[memoryNext = (memoryNext + 1) % Keys.Length], record)),
        ];
        Stopclock.Compile(calls, static call =>
        {
            call.Own(0);
            call.Memory(0);
        });
        var table = new Table("call", "own, ns", "MemoryCache, ns", "ratio", "own, bytes", "MemoryCache, bytes");
        foreach (var (call, ofOwn, ofMemory) in calls)
        {
            var (ownTime, memoryTime) = (Stopclock.Nanoseconds(0, ofOwn), Stopclock.Nanoseconds(0, ofMemory));
            table.Add(call, Number(ownTime), Number(memoryTime), $"{Number(memoryTime / ownTime, 2)}x", Number(Stopclock.Bytes(0, ofOwn)), Number(Stopclock.Bytes(0, ofMemory)));
        }

        return table;
    }

    private static Table FloodOf()
    {
        var table = new Table($"{Keys.Length:N0} keys, room for {Entries:N0}", "ns for each", "bytes for each", "most at a time", "most of the size limit", "there right after they were set");
        var own = Own();
        Flood(table, "own", own.Set, (key, _) => own.TryGet(key, out var _), () => own.Count, () => (double)own.Bytes / Bytes);
        using var memory = new MemoryCacheRecords(Entries, Bytes, isCounting: true);
        Flood(table, "MemoryCache", memory.Set, (key, _) => memory.TryGet(key, out var _), () => memory.Count, () => (double)memory.Size / Bytes);
        return table;
    }

    private static void Flood(Table table, string name, Action<StoreKey, CompletedRecord> set, Func<StoreKey, int, bool> isThere, Func<int> count, Func<double> share)
    {
        foreach (var key in Keys.AsSpan(0, Entries))
        {
            set(key, Record);
        }

        // Time and bytes first, undisturbed; then once more, looking after each.
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var startedAt = Environment.CpuUsage.TotalTime;
        foreach (var key in Keys)
        {
            set(key, Record);
        }

        var time = Environment.CpuUsage.TotalTime - startedAt;
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        var (most, mostShare, there) = (0, 0.0, 0);
        foreach (var key in Keys)
        {
            set(key, Record);
            there += isThere(key, 0) ? 1 : 0;
            most = Math.Max(most, count());
            mostShare = Math.Max(mostShare, share());
        }

        table.Add(name, Number(time.TotalNanoseconds / Keys.Length), Number((double)allocated / Keys.Length), $"{most:N0}", $"{Number(100 * mostShare, 1)} %", $"{Number(100.0 * there / Keys.Length, 1)} %");
    }

    private static Table HitRates()
    {
        var sequence = SkewedKeys.Draw(SkewedKeyCount, SkewedDraws);
        var table = new Table($"{SkewedDraws:N0} requests, {SkewedKeyCount:N0} keys by Zipf, room for {Entries:N0}", "found");
        var own = Own();
        table.Add("own, a true LRU", HitRate(sequence, key => own.TryGet(key, out var _), own.Set, static () => { }));

        using var memory = new MemoryCacheRecords(Entries, Bytes);
        table.Add("MemoryCache, requests one after the other", HitRate(sequence, key => memory.TryGet(key, out var _), memory.Set, static () => { }));

        // It makes room in the background. As good as it gets: nobody asks for anything until there is room again.
        using var patient = new MemoryCacheRecords(Entries, Bytes);
        table.Add("MemoryCache, requests that wait until it has made room", HitRate(sequence, key => patient.TryGet(key, out var _), patient.Set, () =>
        {
            if (patient.Count >= Entries - 1)
            {
                SpinWait.SpinUntil(() => patient.Count < Entries - 1, 50);
            }
        }));
        return table;
    }

    private static string HitRate(int[] sequence, Func<StoreKey, bool> isThere, Action<StoreKey, CompletedRecord> set, Action afterSet)
    {
        var found = 0;
        var record = Record;
        foreach (var n in sequence)
        {
            if (isThere(Keys[n]))
            {
                found++;
            }
            else
            {
                set(Keys[n], record);
                afterSet();
            }
        }

        return $"{Number(100.0 * found / sequence.Length, 1)} %";
    }

    private static string Number(double number, int digits = 0) => number.ToString($"N{digits}", CultureInfo.InvariantCulture);
}
