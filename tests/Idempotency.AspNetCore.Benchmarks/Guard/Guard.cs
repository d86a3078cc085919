using System.Diagnostics;
using System.Reflection;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Compares the servers of this build with those of another commit, side by side in one run, and fails when this one clearly lost.</summary>
/// <remarks>
/// This build's load generator drives both servers, and asks the other one only for what servers of older commits can do too. It is not for continuous integration: a shared machine is too noisy.
/// </remarks>
internal static class Guard
{
    // A clear loss: 1. of requests, when even the upper quartile of the processes is below 0.95; 2. of processor time, when even the lower quartile is above 1.05;
    // 3. of memory, when the lower quartile of its slots allocates 2 % and 50 bytes more for a request than the upper quartile of the other's. The allowance is for what a server does besides.
    private const double LeastThroughput = 0.95;
    private const double MostProcessorTime = 1.05;
    private const double MostBytes = 1.02;
    private const double MoreBytes = 50;

    private const int Connections = 16;
    private const int RoundsPerProcess = 2;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <returns>The exit code: 0 for no clear loss, 1 for one, 2 when there was nothing to compare.</returns>
    public static async Task<int> RunAsync(Arguments arguments)
    {
        try
        {
            if (typeof(Guard).Assembly.GetCustomAttribute<DebuggableAttribute>() is { IsJITOptimizerDisabled: true })
            {
                throw new InvalidOperationException("This is a debug build. Run it with -c Release.");
            }

            using var other = OtherCommit.CheckOut(arguments.Operand);
            return await CompareAsync(other, arguments) ? 0 : 1;
        }
        catch (InvalidOperationException failed)
        {
            Console.Error.WriteLine(failed.Message);
            return 2;
        }
    }

    private static async Task<bool> CompareAsync(OtherCommit other, Arguments arguments)
    {
        var theirs = other.Build();
        await CheckProtocolAsync(other, theirs);
        var rounds = (int)arguments.Number("--rounds", 10);
        var seconds = arguments.Number("--seconds", 0.3);
        using var load = LoadProcess.Start();
        var table = new Table("request", "answer", "throughput", "quartiles", "processor time", "quartiles", $"bytes/request, {other.Name}", "this build", "clear loss");
        var losses = new List<string>();
        var sizes = ((int, string)[])[(0, "31 B"), (10_000, "10 KB"), (100_000, "100 KB")];
        if (!Array.Exists(sizes, size => arguments.Wants(size.Item2)))
        {
            throw new InvalidOperationException($"'--only {arguments.Only}' names no size. There are: {string.Join(", ", sizes.Select(size => size.Item2))}.");
        }

        foreach (var (size, answer) in sizes.Where(size => arguments.Wants(size.Item2)))
        {
            using var pairs = new GuardPairs(theirs, size);
            await Comparison.RunAsync(load, [new Part(pairs.All, Connections)], rounds, RoundsPerProcess, seconds);
            foreach (var variant in pairs.All.Where(variant => variant.Baseline is not null))
            {
                var loss = LossOf(variant);
                losses.AddRange(loss.Length > 0 ? [$"{variant.Name}, {answer}: {loss}"] : []);
                table.Add(
                    variant.Name,
                    answer,
                    $"**{variant.Throughput.Median:F2}**",
                    $"{variant.Throughput.Lower:F2} to {variant.Throughput.Upper:F2}",
                    $"**{variant.ProcessorTime.Median:F2}**",
                    $"{variant.ProcessorTime.Lower:F2} to {variant.ProcessorTime.Upper:F2}",
                    $"{BytesOf(variant.Baseline!).Median:F0}",
                    $"{BytesOf(variant).Median:F0}",
                    loss);
            }
        }

        Console.WriteLine($"{Machine.Description}\n\nThis build, as ratios to {other.Name}.\n\n{table}\n");
        Console.WriteLine(losses.Count == 0 ? $"No clear loss against {other.Name}." : $"A clear loss against {other.Name}:\n  {string.Join("\n  ", losses)}");
        return losses.Count == 0;
    }

    private static string LossOf(Variant variant)
    {
        string[] losses =
        [
            variant.Throughput.Upper < LeastThroughput ? "throughput" : "",
            variant.ProcessorTime.Lower > MostProcessorTime ? "processor time" : "",
            BytesOf(variant).Lower > (MostBytes * BytesOf(variant.Baseline!).Upper) + MoreBytes ? "allocated bytes" : "",
        ];
        return string.Join(", ", losses.Where(loss => loss.Length > 0));
    }

    private static Spread BytesOf(Variant variant) => Spread.Of(variant.Samples.Select(sample => sample.BytesPerRequest));

    private static async Task CheckProtocolAsync(OtherCommit other, string assembly)
    {
        using var server = new ServerProcess(new ServerSpec { IsProtected = true }, assembly);
        try
        {
            await server.AskAsync<Counters>(ServerQuestion.Counters).WaitAsync(Patience);
            await server.AskAsync<Counters>(ServerQuestion.CountersWhenCollected).WaitAsync(Patience);
        }
        catch (Exception failed)
        {
            throw new InvalidOperationException(
                $"The benchmark of {other.Name} has no servers that this one can ask ({failed.Message}). Compare with a later commit: one whose benchmark has the command 'serve'.", failed);
        }
    }
}
