using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Reflection;

namespace Idempotency.AspNetCore.EntityFrameworkCore.KillTests;

/// <summary>Servers on one store that crash over and over, and clients that send every request until it has a response, and then once more.</summary>
/// <param name="scenario">What they are, and what is asked of them.</param>
/// <param name="seed">What is random.</param>
internal sealed class CrashRun(CrashScenario scenario, int seed) : IDisposable
{
    /// <summary>The answer to a request whose outcome is unknown.</summary>
    public const string Unknown = "(outcome unknown)";

    private const int Servers = 2;
    private const int Clients = 12;

    private readonly HttpClient _client = new(new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(2) }) { Timeout = TimeSpan.FromSeconds(30) };
    private readonly ConcurrentDictionary<string, ConcurrentBag<string>> _answers = new();
    private readonly ConcurrentDictionary<string, int> _crashes = new();
    private readonly ConcurrentDictionary<string, byte> _gone = new();
    private readonly int[] _ports = new int[Servers];
    private readonly string[] _points = Shuffled(scenario.Points, seed);
    private int _nextPoint = -1;
    private int _killed;

    /// <summary>How many processes crashed, by the point that was asked for; <c>whenever</c> for those killed from outside.</summary>
    public IReadOnlyDictionary<string, int> Crashes => _crashes;

    public int Killed => Volatile.Read(ref _killed);

    /// <summary>Every answer that was told, by key.</summary>
    public IReadOnlyDictionary<string, ConcurrentBag<string>> Answers => _answers;

    /// <summary>Whether a server, by its setting <c>Server</c>, crashed or was killed.</summary>
    public bool IsGone(string server) => _gone.ContainsKey(server);

    /// <summary>The endpoint that a key was sent to.</summary>
    public static string PathOf(string key) => key[..key.IndexOf('.', StringComparison.Ordinal)];

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
        for (var life = 0; !stop.IsCancellationRequested; life++)
        {
            var port = FreePort.Next();
            var name = string.Create(CultureInfo.InvariantCulture, $"{server}-{life}");
            var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Host(), "--urls", $"http://127.0.0.1:{port}"]);
            foreach (var (setting, value) in scenario.Settings)
            {
                start.Environment[setting] = value;
            }

            start.Environment["Server"] = name;
            start.Environment["Logging__LogLevel__Default"] = "None";
            start.Environment["DOTNET_TieredCompilation"] = "1";
            using var process = await ServerProcess.StartAsync(start, port, "It comes with the .NET SDK.");
            Volatile.Write(ref _ports[server], port);
            var untilKilled = Task.Delay(scenario.LongestLife is { } longest ? random.Next(50, longest) : Timeout.Infinite, stop);
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
                _gone.TryAdd(name, 0);
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
            var path = scenario.Paths[(client + request) % scenario.Paths.Count];
            var key = string.Create(CultureInfo.InvariantCulture, $"{path}.{client}-{request}");
            for (var told = 0; told < 2;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var crash = Killed < kills && random.Next(12) == 0 ? NextPoint() : null;
                var failure = scenario.Failures.Count > 0 && random.Next(12) == 0 ? scenario.Failures[random.Next(scenario.Failures.Count)] : null;
                if (await TryAsync(path, key, crash, failure, random, cancellationToken) is { } answer)
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

    // In turn, so that few kills have many points.
    private string NextPoint() => _points[(int)((uint)Interlocked.Increment(ref _nextPoint) % (uint)_points.Length)];

    /// <returns>The answer; null when there is none, or it says to come again.</returns>
    private async Task<string?> TryAsync(string path, string key, string? crash, string? failure, Random random, CancellationToken cancellationToken)
    {
        var port = Volatile.Read(ref _ports[random.Next(Servers)]);
        if (port == 0)
        {
            return null;
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{port}/{path}");
        request.Headers.Add("Idempotency-Key", key);
        if (crash is not null)
        {
            request.Headers.Add("Test-Crash", crash.EndsWith('~') ? string.Create(CultureInfo.InvariantCulture, $"{crash[..^1]} {random.Next(1, 3000)}") : crash);
        }

        if (failure is not null)
        {
            request.Headers.Add("Test-Fail", failure);
        }

        try
        {
            using var response = await _client.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            if (!response.Headers.Contains("Test-Host"))
            {
                return null; // the port of one that crashed is somebody else's by now; or the handler threw
            }

            return (int)response.StatusCode switch
            {
                200 => text,
                409 when path == scenario.RefusingPath && text.Contains("idempotency-outcome-unknown", StringComparison.Ordinal) => Unknown,
                409 when text.Contains("idempotency-outcome-unknown", StringComparison.Ordinal) || text.Contains("idempotency-response-unavailable", StringComparison.Ordinal) =>
                    throw new InvalidOperationException($"{key} was answered {text}"),
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

    private static string[] Shuffled(IReadOnlyList<string> points, int seed)
    {
        string[] shuffled = [.. points];
        new Random(seed).Shuffle(shuffled);
        return shuffled;
    }

    private static string Host() =>
        Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_KILLED_HOST") is { Length: > 0 } given ? given : Path.GetFullPath(typeof(CrashRun).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(attribute => attribute.Key == "KilledHost").Value!);
}
