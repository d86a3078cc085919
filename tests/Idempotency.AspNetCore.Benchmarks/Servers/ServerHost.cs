using System.Collections.Concurrent;
using System.Runtime;
using System.Text.Json;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Runs one server and answers questions about its process: the other side of <see cref="ServerProcess"/>.</summary>
internal static class ServerHost
{
    /// <remarks>On the thread that calls it, and no task: a thread of the pool that waits for a question would be one less for the requests.</remarks>
    public static void Serve(ServerSpec spec)
    {
        var runs = new ConcurrentDictionary<string, int>();
        var app = (spec.IsProtected ? ProtectedServer.StartAsync(spec, runs) : BareServer.StartAsync(spec)).GetAwaiter().GetResult();
        Console.WriteLine(new Uri(app.Urls.First()).Port);
        while (Console.ReadLine() is { } question)
        {
            Console.WriteLine(Enum.Parse<ServerQuestion>(question) switch
            {
                ServerQuestion.Counters => Json(Counters.Read()),
                ServerQuestion.CountersWhenCollected => Json(Counters.ReadWhenCollected()),
                ServerQuestion.StoreCalls => Json(DynamoDBProcess.Calls),
                ServerQuestion.Runs => Json(Taken(runs)),
                ServerQuestion.Heap => Json(GC.GetTotalMemory(forceFullCollection: true)),
                _ => Json(FullStore.Fill(app.Services.GetRequiredService<IIdempotencyStore>(), payload: 0)),
            });
        }
    }

    private static HandlerRuns Taken(ConcurrentDictionary<string, int> runs)
    {
        var taken = new HandlerRuns(runs.Count, runs.Values.DefaultIfEmpty().Max());
        runs.Clear();
        return taken;
    }

    private static string Json<T>(T answer) => JsonSerializer.Serialize(answer);
}

/// <summary>What a server's process is asked.</summary>
internal enum ServerQuestion
{
    /// <summary><see cref="Benchmarks.Counters"/>.</summary>
    Counters,

    /// <summary>The same after a collection: who made the garbage pays for it, and not what happens to come next.</summary>
    CountersWhenCollected,

    /// <summary>A number: how many calls it has made to DynamoDB.</summary>
    StoreCalls,

    /// <summary><see cref="HandlerRuns"/> since this was asked last.</summary>
    Runs,

    /// <summary>A number: the managed heap, in bytes.</summary>
    Heap,

    /// <summary><see cref="StoreCount"/> of its store in memory, once that is full.</summary>
    CountWhenFull,
}

/// <summary>What a process has used.</summary>
/// <param name="Bytes">What it has allocated.</param>
/// <param name="Microseconds">Its processor time.</param>
/// <param name="CompiledMethods">The methods that its just-in-time compiler has compiled, each as often as it did; zero from the server of a commit that does not say.</param>
internal readonly record struct Counters(long Bytes, double Microseconds, long CompiledMethods)
{
    public static Counters Read() => new(GC.GetTotalAllocatedBytes(precise: true), Environment.CpuUsage.TotalTime.TotalMicroseconds, JitInfo.GetCompiledMethodCount());

    public static Counters ReadWhenCollected()
    {
        var bytes = GC.GetTotalAllocatedBytes(precise: true);
        GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        return Read() with { Bytes = bytes };
    }
}

/// <summary>For how many keys the slow handler ran, and how often for the one it ran for most.</summary>
internal readonly record struct HandlerRuns(int Keys, int MostOfOne);
