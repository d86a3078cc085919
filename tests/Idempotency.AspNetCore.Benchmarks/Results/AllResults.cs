using System.Diagnostics;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Measures everything and writes the README: each command in a process of its own, so that none starts with the heap of another.</summary>
internal static class AllResults
{
    public static void Write()
    {
        var begun = DateTimeOffset.UtcNow;
        Run("server", "growth");
        GoalRuns.Write(begun); // the goals are complete
        Run("latency", "micro", "local-cache");
    }

    private static void Run(params string[] commands)
    {
        foreach (var command in commands)
        {
            using var process = Process.Start(ThisProgram.With(command, "--write"))!;
            process.WaitForExit();
            if (process.ExitCode != 0)
            {
                throw new InvalidOperationException($"'{command}' failed; the README has what came before it.");
            }
        }
    }
}
