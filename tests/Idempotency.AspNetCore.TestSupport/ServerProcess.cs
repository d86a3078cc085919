using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A server that a test starts, stops and kills: it ends with the test run at the latest.</summary>
public sealed class ServerProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly StringBuilder _output = new();
    private readonly Process _process;

    private ServerProcess(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
    }

    /// <summary>The process id, for signals.</summary>
    public int Id => _process.Id;

    /// <summary>What it wrote.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Starts a server and returns when its port answers.</summary>
    /// <exception cref="InvalidOperationException">The program is not there, or ended, or nobody answers for a minute.</exception>
    public static async Task<ServerProcess> StartAsync(ProcessStartInfo start, int port, string howToInstall)
    {
        var server = new ServerProcess(start);
        try
        {
            server._process.Start();
        }
        catch (System.ComponentModel.Win32Exception missing)
        {
            throw new InvalidOperationException($"'{start.FileName}' cannot be started. {howToInstall}", missing);
        }

        server._process.BeginOutputReadLine();
        server._process.BeginErrorReadLine();
        using var deadline = new CancellationTokenSource(Patience);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await AnswersAsync(port))
        {
            if (server._process.HasExited || deadline.IsCancellationRequested)
            {
                var output = server.Output;
                server.Dispose();
                throw new InvalidOperationException($"'{start.FileName}' does not answer on port {port}. It wrote:{Environment.NewLine}{output}");
            }

            await tick.WaitForNextTickAsync();
        }

        return server;
    }

    /// <summary>Done when it has ended, by whomever.</summary>
    public Task GoneAsync() => _process.WaitForExitAsync();

    /// <summary>Kills it, as <c>kill -9</c> does.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }
    }

    /// <summary>Sends it a signal: STOP and CONT freeze and thaw it.</summary>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", $"{_process.Id}"]);
        kill.WaitForExit();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    private static async Task<bool> AnswersAsync(int port)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private void Keep(string? line)
    {
        lock (_output)
        {
            _output.AppendLine(line);
        }
    }
}
