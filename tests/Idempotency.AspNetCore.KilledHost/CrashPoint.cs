using System.Diagnostics;
using System.Globalization;

namespace Idempotency.AspNetCore.KilledHost;

/// <summary>Kills this process, as <c>kill -9</c> does, at a point that a request names: nothing is flushed or disposed of, and no response is sent.</summary>
internal static class CrashPoint
{
    public const string Entered = "entered";
    public const string BetweenSaves = "between-saves";
    public const string Saved = "saved";
    public const string Committing = "committing";
    public const string AtCommit = "at-commit";
    public const string Committed = "committed";
    public const string Completing = "completing";
    public const string Sending = "sending";

    private static readonly AsyncLocal<(string Point, int Microseconds)> Asked = new();

    /// <summary>In a step, before its effect.</summary>
    public static string Before(string step) => $"before:{step}";

    /// <summary>While a step has its effect.</summary>
    public static string Within(string step) => $"within:{step}";

    /// <summary>In a step, after its effect.</summary>
    public static string After(string step) => $"after:{step}";

    /// <summary>While a step is recorded.</summary>
    public static string Recording(string step) => $"recording:{step}";

    /// <summary>After a step has returned.</summary>
    public static string Recorded(string step) => $"recorded:{step}";

    /// <summary>Takes what a request asks for: <c>Test-Crash: at-commit 250</c>.</summary>
    public static void Ask(string? header)
    {
        var parts = (header ?? "").Split(' ');
        Asked.Value = (parts[0], parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0);
    }

    /// <summary>A point that a request can name. The process is killed here if it did.</summary>
    public static void Reach(string point)
    {
        var (asked, microseconds) = Asked.Value;
        if (asked != point)
        {
            return;
        }

        if (microseconds == 0)
        {
            Process.GetCurrentProcess().Kill();
            return;
        }

        // Beside what goes on: the instant lies within whatever happens in the next moment.
        new Thread(() =>
        {
            var start = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(start).TotalMicroseconds < microseconds)
            {
            }

            Process.GetCurrentProcess().Kill();
        })
        { IsBackground = true }.Start();
    }
}
