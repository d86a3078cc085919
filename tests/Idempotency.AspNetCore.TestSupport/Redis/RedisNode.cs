using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A Redis server that a test starts, kills and starts again on the same port.</summary>
public sealed class RedisNode(IReadOnlyList<string> settings) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(Memory, $"redis-{Guid.NewGuid():N}"));
    private ServerProcess? _process;

    // Processes die in these tests, and machines do not: no need to wait for a disk.
    private static string Memory => Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();

    /// <summary>The program: <c>redis-server</c>, or the one that IDEMPOTENCY_TEST_REDIS_SERVER names.</summary>
    public static string Program { get; } = Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_REDIS_SERVER") is { Length: > 0 } named ? named : "redis-server";

    /// <summary>Where it listens.</summary>
    public int Port { get; } = FreePort.Next();

    /// <summary>Where it writes its files; gone with it.</summary>
    public string Folder => _folder.FullName;

    /// <summary>Whether it was started, and not killed since.</summary>
    public bool IsRunning => _process is not null;

    /// <summary>Its process, for signals.</summary>
    public ServerProcess Process => _process ?? throw new InvalidOperationException("The server is not running.");

    /// <summary>Starts it: with the data that it has written, if it writes any.</summary>
    public async Task StartAsync()
    {
        string[] own = ["--port", $"{Port}", "--bind", "127.0.0.1", "--dir", Folder];
        _process ??= await ServerProcess.StartAsync(new ProcessStartInfo(Program, [.. settings, .. own]), Port, "Install it (Debian: apt-get install redis-server).");
        await UntilAsync(async () => !(await AskAsync("PING")).StartsWith("LOADING", StringComparison.Ordinal));
    }

    /// <summary><c>kill -9</c>.</summary>
    public void Kill()
    {
        _process?.Dispose();
        _process = null;
    }

    /// <summary>Sends one command on a connection of its own.</summary>
    /// <returns>The reply as text, also an error; the elements of an array one a line; "" for none.</returns>
    /// <exception cref="IOException">It does not reply.</exception>
    public Task<string> AskAsync(params string[] command) => AskAsync(Port, command);

    /// <summary>The same for a server that something else has started.</summary>
    public static async Task<string> AskAsync(int port, string[] command)
    {
        using var client = new TcpClient();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port, deadline.Token);
            var stream = client.GetStream();
            var text = new StringBuilder($"*{command.Length}\r\n");
            foreach (var part in command)
            {
                text.Append($"${Encoding.UTF8.GetByteCount(part)}\r\n{part}\r\n");
            }

            await stream.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), deadline.Token);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            return await ReplyAsync(reader, deadline.Token);
        }
        catch (Exception broken) when (broken is SocketException or OperationCanceledException)
        {
            throw new IOException($"The server on port {port} does not reply.", broken);
        }
    }

    /// <summary>A field of INFO; "" when there is none, or nobody replies.</summary>
    public async Task<string> InfoAsync(string field)
    {
        try
        {
            return (await AskAsync("INFO")).Split('\n').Select(line => line.Trim()).FirstOrDefault(line => line.StartsWith(field + ":", StringComparison.Ordinal))?[(field.Length + 1)..] ?? "";
        }
        catch (IOException)
        {
            return "";
        }
    }

    /// <summary>Looks again until it is so, and not for ever.</summary>
    public static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        using var deadline = new CancellationTokenSource(Patience);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await isSo())
        {
            await tick.WaitForNextTickAsync(deadline.Token);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Kill();
        _folder.Delete(recursive: true);
    }

    private static async Task<string> ReplyAsync(StreamReader reader, CancellationToken deadline)
    {
        var line = await reader.ReadLineAsync(deadline) ?? throw new IOException("The server has closed the connection.");
        var rest = line[1..];
        switch (line[0])
        {
            case '$' when rest == "-1":
                return "";
            case '$':
                var bulk = new char[int.Parse(rest, System.Globalization.CultureInfo.InvariantCulture)];
                await reader.ReadBlockAsync(bulk, deadline);
                await reader.ReadLineAsync(deadline);
                return new string(bulk);
            case '*':
                var elements = new List<string>();
                for (var i = int.Parse(rest, System.Globalization.CultureInfo.InvariantCulture); i > 0; i--)
                {
                    elements.Add(await ReplyAsync(reader, deadline));
                }

                return string.Join('\n', elements);
            default:
                return rest;
        }
    }
}
