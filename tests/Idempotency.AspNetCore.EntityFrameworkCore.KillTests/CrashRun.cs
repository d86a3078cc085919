using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Reflection;
using Idempotency.AspNetCore.KilledHost;

namespace Idempotency.AspNetCore.EntityFrameworkCore.KillTests;

/// <summary>Servers on one database that crash over and over, and clients that send every request until it has a response, and then once more.</summary>
/// <param name="database">MariaDB, PostgreSQL or Sqlite.</param>
/// <param name="connection">Its connection string.</param>
/// <param name="transaction">The policy's.</param>
/// <param name="seed">What is random.</param>
internal sealed class CrashRun(string database, string connection, IdempotencyTransaction transaction, int seed) : IDisposable
{
    private const int Servers = 2;
    private const int Clients = 12;

    // The points at which a request can have its process crash. The other crashes come from outside, at any time.
    private static readonly string[] AllPoints = ["entered", "between-saves", "saved", "committing", "at-commit", "committed", "sending"];

    // Those at which separate transactions leave an effect without its record. To show that, a process must not crash earlier: so none is killed from outside either.
    private static readonly string[] GapPoints = ["between-saves", "saved"];

    private readonly HttpClient _client = new(new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(2) }) { Timeout = TimeSpan.FromSeconds(30) };
    private readonly ConcurrentDictionary<string, ConcurrentBag<string>> _answers = new();
    private readonly ConcurrentDictionary<string, int> _crashes = new();
    private readonly int[] _ports = new int[Servers];
    private readonly string[] _points = transaction == IdempotencyTransaction.Separate ? GapPoints : AllPoints;
    private int _killed;

    /// <summary>How many processes crashed, by the point that was asked for; <c>whenever</c> for those killed from outside.</summary>
    public IReadOnlyDictionary<string, int> Crashes => _crashes;

    public int Killed => Volatile.Read(ref _killed);

    /// <summary>Every answer that was told, by key.</summary>
    public IReadOnlyDictionary<string, ConcurrentBag<string>> Answers => _answers;

    /// <summary>Runs until so many processes have been killed, and every request is answered.</summary>
    public async Task RunAsync(int kills, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var servers = Enumerable.Range(0, Servers).Select(server => KeepAliveAsync(server, kills, stop.Token)).ToList();
        try
        {
            await Task.WhenAll(Enumerable.Range(0, Clients).Select(client => AskAsync(client, kills, stop.Token)));
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(servers);
        }
    }

    public void Dispose() => _client.Dispose();

    /// <summary>A server, started again whenever it is gone, and killed from outside now and then.</summary>
    private async Task KeepAliveAsync(int server, int kills, CancellationToken stop)
    {
        var random = new Random(seed + server);
        while (!stop.IsCancellationRequested)
        {
            var port = FreePort.Next();
            var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Host(), "--urls", $"http://127.0.0.1:{port}"]);
            start.Environment["Database"] = database;
            start.Environment["Connection"] = connection;
            start.Environment["Transaction"] = transaction.ToString();
            start.Environment["Logging__LogLevel__Default"] = "None";
            start.Environment["DOTNET_TieredCompilation"] = "1";
            using var process = await ServerProcess.StartAsync(start, port, "It comes with the .NET SDK.");
            Volatile.Write(ref _ports[server], port);
            var untilKilled = Task.Delay(transaction == IdempotencyTransaction.Separate ? Timeout.Infinite : random.Next(50, 1500), stop);
            var gone = process.GoneAsync();
            try
            {
                await Task.WhenAny(gone, untilKilled);
                if (!gone.IsCompleted && Killed < kills && !stop.IsCancellationRequested)
                {
                    process.Kill();
                    _crashes.AddOrUpdate("whenever", 1, static (_, count) => count + 1);
                }

                await gone.WaitAsync(stop);
                Interlocked.Increment(ref _killed);
            }
            catch (OperationCanceledException)
            {
            }

            Volatile.Write(ref _ports[server], 0);
        }
    }

    private async Task AskAsync(int client, int kills, CancellationToken cancellationToken)
    {
        var random = new Random(seed + 1000 + client);
        for (var request = 0; Killed < kills; request++)
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"{client}-{request}");
            for (var told = 0; told < 2;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var crash = Killed < kills && random.Next(12) == 0 ? _points[random.Next(_points.Length)] : null;
                if (await TryAsync(key, crash, random, cancellationToken) is { } answer)
                {
                    _answers.GetOrAdd(key, static _ => []).Add(answer);
                    told++;
                }
                else
                {
                    await Task.Delay(random.Next(5, 60), cancellationToken);
                }
            }
        }
    }

    /// <returns>The answer; null when there is none, or it says to come again.</returns>
    private async Task<string?> TryAsync(string key, string? crash, Random random, CancellationToken cancellationToken)
    {
        var port = Volatile.Read(ref _ports[random.Next(Servers)]);
        if (port == 0)
        {
            return null;
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{port}/pay");
        request.Headers.Add("Idempotency-Key", key);
        if (crash is not null)
        {
            request.Headers.Add("Test-Crash", crash == "at-commit" ? string.Create(CultureInfo.InvariantCulture, $"{crash} {random.Next(1, 3000)}") : crash);
        }

        try
        {
            using var response = await _client.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            if (!response.Headers.Contains("Test-Host"))
            {
                return null; // the port of one that crashed is somebody else's by now
            }

            return (int)response.StatusCode switch
            {
                200 => text,
                409 or 503 => null, // still running, taken over, in conflict
                var other => throw new InvalidOperationException($"{key} was answered {other}: {text}"),
            };
        }
        catch (Exception exception) when (exception is HttpRequestException or SocketException) // the bare one when it crashes just as it is connected to
        {
            if (crash is not null)
            {
                _crashes.AddOrUpdate(crash, 1, static (_, count) => count + 1);
            }

            return null;
        }
        catch (IOException)
        {
            return null; // in the middle of the answer
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null; // no answer for longer than a client waits
        }
    }

    private static string Host() =>
        Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_KILLED_HOST") is { Length: > 0 } given ? given : Path.GetFullPath(typeof(CrashRun).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(attribute => attribute.Key == "KilledHost").Value!);
}
