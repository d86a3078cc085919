using System.Diagnostics;
using System.Globalization;

namespace Idempotency.AspNetCore.KilledHost;

/// <summary>Kills this process, as <c>kill -9</c> does, at an instant that a request names: nothing is flushed, disposed of or told.</summary>
internal static class Death
{
    public const string Entered = "entered";
    public const string BetweenSaves = "between-saves";
    public const string Saved = "saved";
    public const string Committing = "committing";
    public const string AtCommit = "at-commit";
    public const string Committed = "committed";
    public const string Sending = "sending";

    private static readonly AsyncLocal<(string Point, int Microseconds)> Asked = new();

    /// <summary>Takes what a request asks for: <c>Test-Die: at-commit 250</c>.</summary>
    public static void Ask(string? header)
    {
        var parts = (header ?? "").Split(' ');
        Asked.Value = (parts[0], parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0);
    }

    /// <summary>An instant that can be named.</summary>
    public static void May(string point)
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
        }) { IsBackground = true }.Start();
    }
}
