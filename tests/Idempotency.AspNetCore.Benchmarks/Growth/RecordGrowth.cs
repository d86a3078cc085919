using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The in-memory store with ever more records: what a request costs, without a server, and what a record takes.</summary>
/// <remarks>Nothing here waits for anything, so every task is complete when it is returned: no state machine keeps a store alive that was measured before.</remarks>
internal static class RecordGrowth
{
    private const int Payload = 200;
    private const int BatchSize = 200; // small: each first execution leaves a record more

    public static string Run()
    {
        Measure(1_000); // compiles
        Thread.Sleep(200);
        Measure(1_000);
        var table = new Table("records", "first execution", "replay from the store", "claim + complete", "bytes/record, with a payload of 200 B", "full collection");
        foreach (var records in (int[])[1_000, 10_000, 100_000, 1_000_000])
        {
            Console.Error.Write($"\r{records} records   ");
            table.Add([$"{records:N0}", .. Measure(records)]);
        }

        Console.Error.WriteLine();
        var full = FullStore.Fill(maxRecords: 1000, maxBytes: long.MaxValue, payload: 0);
        return "Without a server and without the local cache; processor time of the quickest of several batches. The bytes are the growth of the managed heap; the store itself "
            + $"counts {full.Bytes / full.Records} + the payload.\n\n{table}";
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static string[] Measure(int records)
    {
        using var pipeline = new Pipeline(ProtectedServer.WithoutLocalCache);
        Quickest(pipeline.ReplayAsync); // its one record is there
        var before = Heap();
        StoreFiller.FillAsync(pipeline.Store, 0, records, Payload).GetAwaiter().GetResult();
        var bytes = Heap() - before;
        var startedAt = Stopwatch.GetTimestamp();
        GC.Collect();
        var collection = Stopwatch.GetElapsedTime(startedAt);

        var replay = Quickest(pipeline.ReplayAsync);
        if (!pipeline.LastWasReplay)
        {
            throw new InvalidOperationException("What was measured as a replay was none.");
        }

        var next = records;
        var claim = Quickest(() => StoreFiller.FillAsync(pipeline.Store, next++, next, Payload));
        var first = Quickest(pipeline.FirstAsync);
        return [$"{first:F0} ns", $"{replay:F0} ns", $"{claim:F0} ns", $"{(double)bytes / records:F0}", $"{collection.TotalMilliseconds:F1} ms"];
    }

    private static long Heap()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    /// <summary>Again after a while, and again: a collection in the background, which takes long with a million records, is processor time of this process too.</summary>
    private static double Quickest(Func<Task> run) => Enumerable.Range(0, 3).Min(_ =>
    {
        Thread.Sleep(300);
        return Stopclock.Nanoseconds(run, static run => run().GetAwaiter().GetResult(), BatchSize);
    });
}
