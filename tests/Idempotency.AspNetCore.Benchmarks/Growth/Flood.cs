using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Many times more keys than there is room for: memory stays within the bounds, new keys are refused, the process goes on serving.</summary>
internal static class Flood
{
    private const int Times = 5;
    private const int Connections = 16;

    public static async Task<string> RunAsync(LoadProcess load)
    {
        var store = new Table("store, bound", "requests", "200", "503", "records counted", "bytes counted", "heap growth", "heap growth / bound", "a recorded key then", "other endpoints then");
        await OfStoreAsync(store, load, "20,000 records", 20_000, long.MaxValue, "Ann");
        await OfStoreAsync(store, load, "8 MiB, small bodies", int.MaxValue, 8 << 20, "Ann");
        await OfStoreAsync(store, load, "32 MiB, bodies of 10 KB", int.MaxValue, 32 << 20, Payment.NameFor(10_000));

        var cache = new Table("local cache, bound", "records offered", "records kept", "bytes counted", "heap growth", "heap growth / bytes counted");
        OfCache(cache, "10,000 records", 10_000, long.MaxValue, 200);
        OfCache(cache, "8 MiB, payloads of 200 B", int.MaxValue, 8 << 20, 200);
        OfCache(cache, "8 MiB, payloads of 10 KB", int.MaxValue, 8 << 20, 10_000);
        return $"{store}\n\n{cache}";
    }

    private static async Task OfStoreAsync(Table table, LoadProcess load, string bound, int maxRecords, long maxBytes, string name)
    {
        Console.Error.Write($"\r{bound,-40}");
        using var server = new ServerProcess(new ServerSpec { IsProtected = true, WithoutLocalCache = true, MaxRecords = maxRecords, MaxBytes = maxBytes });
        var body = $$"""{"name":"{{name}}","amount":12.5}""";
        var known = new Traffic("POST", "/pay", body, KeyKind.OneForAll, Traffic.Replayed);
        var open = new Traffic("POST", "/open", body, KeyKind.None);
        (await load.RunAsync(server, known, Connections, 0.5)).Expecting(bound, StatusCodes.Status200OK);
        (await load.RunAsync(server, open, Connections, 0.5)).Expecting(bound, StatusCodes.Status200OK);

        // Until as much again was refused as was kept, several times over.
        var before = await server.AskAsync<long>(ServerQuestion.Heap);
        long requests = 0, kept = 0, refused = 0;
        do
        {
            var sample = (await load.RunAsync(server, new Traffic("POST", "/pay", body, KeyKind.OneForEach), Connections, 0.5))
                .Expecting(bound, StatusCodes.Status200OK, StatusCodes.Status503ServiceUnavailable);
            requests += sample.Load.Requests;
            kept += sample.Load.Of(200);
            refused += sample.Load.Of(503);
        }
        while (refused < (Times - 1) * kept);
        var growth = await server.AskAsync<long>(ServerQuestion.Heap) - before;

        (await load.RunAsync(server, known, Connections, 0.5)).Expecting(bound, StatusCodes.Status200OK);
        (await load.RunAsync(server, open, Connections, 0.5)).Expecting(bound, StatusCodes.Status200OK);
        var counted = await server.AskAsync<StoreCount>(ServerQuestion.CountWhenFull);
        table.Add(
            bound,
            $"{requests:N0}",
            $"{kept:N0}",
            $"{refused:N0}",
            $"{counted.Records:N0}",
            $"{counted.Bytes:N0}",
            $"{growth:N0}",
            maxBytes == long.MaxValue ? "-" : $"{(double)growth / maxBytes:F2}",
            "is replayed",
            "answer 200");
    }

    private static void OfCache(Table table, string bound, int maxEntries, long maxBytes, int payload)
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var cache = LocalCaches.Create(options => (options.LocalCacheMaxEntries, options.LocalCacheMaxBytes) = (maxEntries, maxBytes));
        var offered = Times * (int)Math.Min(maxEntries, maxBytes / payload);
        for (var i = 0; i < offered; i++)
        {
            var key = new StoreKey(Sha256Hash.Of(BitConverter.GetBytes(i)));
            cache.Set(key, new CompletedRecord(default, new byte[payload], long.MaxValue));
        }

        var growth = GC.GetTotalMemory(forceFullCollection: true) - before;
        table.Add(bound, $"{offered:N0}", $"{cache.Count:N0}", $"{cache.Bytes:N0}", $"{growth:N0}", $"{(double)growth / cache.Bytes:F2}");
        GC.KeepAlive(cache);
    }
}
