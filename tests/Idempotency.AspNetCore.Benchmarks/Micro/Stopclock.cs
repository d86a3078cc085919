using System.Diagnostics;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>
/// Times work without a server, by the processor time of this process: what other processes take in between does not count. Of several batches
/// the quickest counts, in which nothing was compiled and the caches were disturbed least.
/// </summary>
internal static class Stopclock
{
    private const int Batches = 15;
    private static readonly TimeSpan Compilation = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Batch = TimeSpan.FromMilliseconds(15);

    /// <summary>Runs for a while what is to be timed later: the first to be timed would otherwise be timed while it is compiled, again and better.</summary>
    public static void Compile<T>(IReadOnlyList<T> subjects, Action<T> run)
    {
        // Not in one go: code that is to be replaced is, once nothing new has been compiled for a tenth of a second.
        var startedAt = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(startedAt) < Compilation)
        {
            foreach (var subject in subjects)
            {
                CountIn(Batch, subject, run);
            }

            Thread.Sleep(Batch);
        }
    }

    /// <returns>Nanoseconds of one run.</returns>
    public static double Nanoseconds<T>(T subject, Action<T> run)
    {
        var count = Math.Max(1, CountIn(WarmUp, subject, run) * Batch.Ticks / WarmUp.Ticks);
        return Nanoseconds(subject, run, count);
    }

    /// <returns>Nanoseconds of one run, in batches of so many.</returns>
    public static double Nanoseconds<T>(T subject, Action<T> run, long count) => Enumerable.Range(0, Batches).Min(_ =>
    {
        var before = Environment.CpuUsage.TotalTime;
        for (var i = 0; i < count; i++)
        {
            run(subject);
        }

        return (Environment.CpuUsage.TotalTime - before).TotalNanoseconds / count;
    });

    /// <returns>Bytes that one run allocates, when it has run before.</returns>
    public static double Bytes<T>(T subject, Action<T> run)
    {
        const int Runs = 100;
        for (var i = 0; i < Runs; i++)
        {
            run(subject);
        }

        // The least of a few: the runtime itself allocates now and then while it makes code faster.
        return Enumerable.Range(0, 3).Min(_ =>
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < Runs; i++)
            {
                run(subject);
            }

            return (double)(GC.GetAllocatedBytesForCurrentThread() - before) / Runs;
        });
    }

    private static long CountIn<T>(TimeSpan time, T subject, Action<T> run)
    {
        var startedAt = Stopwatch.GetTimestamp();
        var count = 0L;
        do
        {
            run(subject);
            count++;
        }
        while (Stopwatch.GetElapsedTime(startedAt) < time);
        return count;
    }
}
