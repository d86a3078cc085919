using System.Net.Http.Json;
using System.Net.Sockets;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>How many calls to a store's server a request makes: counted, not timed.</summary>
internal static class RoundTrips
{
    private const int Requests = 50;

    // What clients say to keep a connection alive; and SELECT, which follows our own ECHO: the client sends it after any command that it does not know.
    private static readonly string[] Housekeeping = ["ping", "info", "echo", "monitor", "select"];

    /// <returns>Calls for each request, by the name of the variant they belong to.</returns>
    public static async Task<Dictionary<string, double>> CountAsync(RedisProcess? redis, DynamoDBProcess? dynamo)
    {
        var counts = new Dictionary<string, double>();
        if (redis is not null)
        {
            var spec = new ServerSpec { IsProtected = true, Store = StoreKind.Redis, StorePort = redis.Port };
            await CountAsync(counts, "Redis", spec, (_, run) => CommandsOfAsync(redis, run));
        }

        if (dynamo is not null)
        {
            var spec = new ServerSpec { IsProtected = true, Store = StoreKind.DynamoDB, StorePort = dynamo.Port };
            await CountAsync(counts, "DynamoDB", spec, CallsOfAsync);
        }

        return counts;
    }

    public static string TableOf(Dictionary<string, double> counts)
    {
        var table = new Table("request", "calls to the store's server");
        foreach (var (name, count) in counts)
        {
            table.Add(name, $"{count:0.##}");
        }

        return table.ToString();
    }

    private static async Task CountAsync(Dictionary<string, double> counts, string store, ServerSpec spec, Func<ServerProcess, Func<Task>, Task<int>> countAsync)
    {
        using var client = new HttpClient();
        using var warm = new ServerProcess(spec);
        using var cold = new ServerProcess(spec with { WithoutLocalCache = true });
        async Task PayAsync(ServerProcess server, int number) => await RoundTrips.PayAsync(client, await server.PortAsync(), $"round-trip-{number}");
        await PayAsync(warm, -1);
        await PayAsync(cold, -1);

        async Task<double> OfAsync(ServerProcess server) => (double)await countAsync(server, async () =>
        {
            for (var i = 0; i < Requests; i++)
            {
                await PayAsync(server, i);
            }
        }) / Requests;

        // In this order: the first server runs and records, and has it in its cache; the other has not.
        counts[$"{store}: first execution"] = await OfAsync(warm);
        counts[$"{store}: cold replay"] = await OfAsync(cold);
        counts[$"{store}: warm replay"] = await OfAsync(warm);
    }

    private static async Task PayAsync(HttpClient client, int port, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{port}/pay") { Content = JsonContent.Create(new Payment("Ann", 12.5m)) };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await client.SendAsync(request);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>The commands that Redis gets from clients, by its own account; what a script does inside is no round trip.</summary>
    private static async Task<int> CommandsOfAsync(RedisProcess redis, Func<Task> run)
    {
        using var connection = await RedisProcess.ConnectAsync(redis.Port);
        using var monitor = new TcpClient();
        await monitor.ConnectAsync("127.0.0.1", redis.Port);
        await using var stream = monitor.GetStream();
        using var reader = new StreamReader(stream);
        await stream.WriteAsync("MONITOR\r\n"u8.ToArray());
        await reader.ReadLineAsync(); // +OK
        await run();
        await connection.GetDatabase().ExecuteAsync("ECHO", "that is all");
        var commands = new List<string>();
        while (await reader.ReadLineAsync() is { } line && !line.Contains("that is all", StringComparison.Ordinal))
        {
            commands.Add(line);
        }

        // +<time> [<database> <address, or "lua">] "<command>" "<argument>" …
        return commands.Count(line => !line.Contains(" lua]", StringComparison.Ordinal)
            && !Housekeeping.Contains(line.Split('"')[1], StringComparer.OrdinalIgnoreCase));
    }

    private static async Task<int> CallsOfAsync(ServerProcess server, Func<Task> run)
    {
        var before = await server.AskAsync<int>(ServerQuestion.StoreCalls);
        await run();
        return await server.AskAsync<int>(ServerQuestion.StoreCalls) - before;
    }
}
