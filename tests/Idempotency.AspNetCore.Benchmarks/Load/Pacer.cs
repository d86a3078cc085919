using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Says when requests are due: at random moments, as from many clients who know nothing of each other (a Poisson process), each on the next connection in turn.</summary>
/// <remarks>A thread of its own, which also sends what is due on an idle connection. It sleeps in between: one that spun would take half of a small machine from the server.</remarks>
internal sealed class Pacer(int connections)
{
    private readonly List<Channel<long>> _channels = [.. Enumerable.Range(0, connections).Select(_ =>
        Channel.CreateUnbounded<long>(new UnboundedChannelOptions { AllowSynchronousContinuations = true, SingleReader = true, SingleWriter = true }))];

    /// <summary>The moments at which a request is due on a connection.</summary>
    public ChannelReader<long> Due(int connection) => _channels[connection].Reader;

    public void Start(double rate, TimeSpan duration) => new Thread(() => Run(rate, duration)) { IsBackground = true }.Start();

    private void Run(double rate, TimeSpan duration)
    {
        Sleep.MakePrecise();
        var random = new Random(1);
        var startedAt = Stopwatch.GetTimestamp();
        var seconds = 0.0;
        for (var connection = 0; ; connection = (connection + 1) % _channels.Count)
        {
            seconds -= Math.Log(1 - random.NextDouble()) / rate;
            if (seconds > duration.TotalSeconds)
            {
                break;
            }

            var due = startedAt + (long)(seconds * Stopwatch.Frequency);
            Sleep.Until(due);
            _channels[connection].Writer.TryWrite(due);
        }

        _channels.ForEach(channel => channel.Writer.Complete());
    }

    /// <summary>Sleeps for less than a millisecond, which is the least that <see cref="Thread.Sleep(int)"/> can.</summary>
    private static class Sleep
    {
        private const int SetTimerSlack = 29; // prctl(2), PR_SET_TIMERSLACK

        /// <summary>Linux lets a thread oversleep by 50 µs, unless it asks for less.</summary>
        public static void MakePrecise()
        {
            if (OperatingSystem.IsLinux())
            {
                _ = Control(SetTimerSlack, 1, 0, 0, 0);
            }
        }

        public static void Until(long timestamp)
        {
            while (timestamp - Stopwatch.GetTimestamp() is > 0 and var left)
            {
                if (OperatingSystem.IsWindows())
                {
                    Thread.Yield();
                }
                else
                {
                    _ = Microseconds((uint)Math.Min(500_000, left * 1_000_000 / Stopwatch.Frequency));
                }
            }
        }

        [DllImport("libc", EntryPoint = "usleep")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int Microseconds(uint microseconds);

        [DllImport("libc", EntryPoint = "prctl")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int Control(int option, nuint value, nuint unused1, nuint unused2, nuint unused3);
    }
}
