using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A store's server, started for the benchmark and ended with it.</summary>
internal sealed class StoreProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly Process _process;

    private StoreProcess(Process process) => _process = process;

    /// <returns>Null, after a message, when it is not there: the benchmark goes on without it.</returns>
    public static StoreProcess? TryStart(string program, string[] arguments, string? folder, int port, string otherwise)
    {
        try
        {
            var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? "" })!;
            process.OutputDataReceived += (_, _) => { };
            process.ErrorDataReceived += (_, _) => { };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            var started = new StoreProcess(process);
            AppDomain.CurrentDomain.ProcessExit += (_, _) => started.Dispose();
            var startedAt = Stopwatch.GetTimestamp();
            while (!Answers(port))
            {
                if (process.HasExited || Stopwatch.GetElapsedTime(startedAt) > Patience)
                {
                    Console.Error.WriteLine($"'{program}' was started and does not answer on port {port}: left out.");
                    return null;
                }

                Thread.Sleep(20);
            }

            return started;
        }
        catch (Win32Exception)
        {
            Console.Error.WriteLine(otherwise);
            return null;
        }
    }

    /// <summary>A port for a server that cannot look for one itself.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }
    }

    private static bool Answers(int port)
    {
        try
        {
            using var client = new TcpClient("127.0.0.1", port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
