using System.Diagnostics;
using System.Net.Sockets;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>One of the servers: a process of its own, that reaches the store through a proxy of its own.</summary>
public sealed class Server(string name, TcpProxy toStore, IReadOnlyDictionary<string, string> settings) : IDisposable
{
    private const int Tries = 3;

    // A client that waits longer than anything the library may take.
    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromSeconds(60) };
    private ServerProcess? _process;
    private int _port;

    public string Name => name;

    /// <summary>Its way to the store.</summary>
    public TcpProxy ToStore => toStore;

    public bool IsRunning => _process is not null;

    public async Task StartAsync()
    {
        for (var tried = 1; _process is null; tried++)
        {
            _port = FreePort.Next();
            var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [FromBuild.Value("TestHost"), "--urls", $"http://127.0.0.1:{_port}"]);
            foreach (var (setting, value) in settings)
            {
                start.Environment[setting] = value;
            }

            start.Environment["Server"] = name;
            start.Environment["Logging__LogLevel__Default"] = "Warning";
            try
            {
                _process = await ServerProcess.StartAsync(start, _port, "It comes with the .NET SDK.");
            }
            catch (InvalidOperationException) when (tried < Tries)
            {
                // Somebody else took the port meanwhile.
            }
        }
    }

    /// <summary><c>kill -9</c>.</summary>
    public void Kill()
    {
        _process?.Dispose();
        _process = null;
    }

    /// <summary>SIGSTOP: it does nothing more, and does not know.</summary>
    public void Freeze() => _process!.Signal("STOP");

    /// <summary>SIGCONT.</summary>
    public void Thaw() => _process?.Signal("CONT");

    /// <summary>Sends a request and returns its answer.</summary>
    /// <param name="endpoint">Which policy: see the test host.</param>
    /// <param name="key">The idempotency key.</param>
    /// <param name="ask">What the handler is to do.</param>
    /// <param name="hangUp">The client goes away.</param>
    /// <exception cref="HttpRequestException">The connection ended without an answer.</exception>
    public async Task<Answer> PostAsync(string endpoint, string key, Ask? ask = null, CancellationToken hangUp = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{_port}/{endpoint}");
        request.Headers.Add("Idempotency-Key", key);
        (ask ?? Ask.Nothing).ApplyTo(request);
        try
        {
            using var response = await _client.SendAsync(request, hangUp);
            return await Answer.ReadAsync(response);
        }
        catch (SocketException gone)
        {
            // What the client throws, unwrapped, when a server dies just as it is connected to.
            throw new HttpRequestException("The connection ended without an answer.", gone);
        }
    }

    public void Dispose()
    {
        Kill();
        _client.Dispose();
        toStore.Dispose();
    }
}
