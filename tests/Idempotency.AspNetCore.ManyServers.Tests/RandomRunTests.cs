using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Clients and faults at random, and the history checked. The seed decides what is done; when it happens is the machine's.</summary>
public abstract class RandomRunTests(Cluster cluster, ITestOutputHelper output) : ClusterTests(cluster)
{
    private const int Clients = 16;
    private const int LeastOperations = 1000;
    private static readonly TimeSpan LongestClaim = TimeSpan.FromSeconds(90); // whose claim the store took, and who did not hear of it, leaves it to its lease
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(Setting("IDEMPOTENCY_TEST_SECONDS") ?? 30);
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(10);

    private readonly ConcurrentQueue<Operation> _operations = new();
    private readonly List<(string Endpoint, string Key)> _keys = [];
    private readonly ConcurrentQueue<string> _faults = new();

    /// <summary>Which policies the requests go to.</summary>
    protected virtual IReadOnlyList<string> Endpoints => ["takeover", "refuse", "wait"];

    [Fact]
    public async Task Keeps_every_promise_under_random_faults()
    {
        var seed = Setting("IDEMPOTENCY_TEST_SEED") ?? Random.Shared.Next();
        output.WriteLine($"IDEMPOTENCY_TEST_SEED={seed}");
        using var end = new CancellationTokenSource();
        var ending = EndAsync(end);

        await Task.WhenAll(
            [FaultsAsync(new Random(seed), end.Token), .. Enumerable.Range(1, Clients).Select(client => ClientAsync($"client {client}", new Random(seed + client), end.Token))]);
        await ending;
        await Cluster.HealAsync();
        await AuditAsync();

        Report(seed);
    }

    /// <summary>After the time, and when there are enough operations, however long a slow machine takes for them.</summary>
    private async Task EndAsync(CancellationTokenSource end)
    {
        await Task.Delay(Length, CancellationToken.None);
        await Eventually.TrueAsync(() => _operations.Count >= LeastOperations, "enough operations", LongestRun);
        await end.CancelAsync();
    }

    /// <summary>Sends new requests and others' again; hangs up when it takes too long for its taste, and mostly tries again until it has an answer.</summary>
    private async Task ClientAsync(string client, Random random, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            var (endpoint, key) = NextKey(random);
            do
            {
                var ask = new Ask(
                    Delay: random.Next(20) switch
                    {
                        0 => TimeSpan.FromMilliseconds(random.Next(1000, 2500)), // about a lease, and more
                        < 8 => TimeSpan.FromMilliseconds(random.Next(1, 150)),
                        _ => TimeSpan.Zero,
                    },
                    Fail: random.Next(12) == 0);
                var patience = TimeSpan.FromMilliseconds(random.Next(10) == 0 ? random.Next(1, 60) : random.Next(300, 3000));
                var answer = await AskAsync(client, Cluster.Servers[random.Next(Cluster.Servers.Count)], endpoint, key, ask, patience);
                if (answer.IsSuccess || answer.Code == Answer.OutcomeUnknown)
                {
                    break;
                }

                await Task.Delay(random.Next(1, 200), CancellationToken.None);
            }
            while (random.Next(8) > 0 && !end.IsCancellationRequested);
        }
    }

    /// <summary>One in three is new; the others are among the latest, so that clients meet.</summary>
    private (string Endpoint, string Key) NextKey(Random random)
    {
        lock (_keys)
        {
            if (_keys.Count == 0 || random.Next(3) == 0)
            {
                _keys.Add((Endpoints[random.Next(Endpoints.Count)], Cluster.NewKey()));
                return _keys[^1];
            }

            return _keys[^Math.Min(_keys.Count, 1 + random.Next(30))];
        }
    }

    private async Task<Answer> AskAsync(string client, Server server, string endpoint, string key, Ask ask, TimeSpan patience)
    {
        var sentAt = Stopwatch.GetTimestamp();
        Answer answer;
        using var hangUp = new CancellationTokenSource(patience);
        try
        {
            answer = await server.PostAsync(endpoint, key, ask, hangUp.Token);
        }
        catch (Exception gone) when (gone is HttpRequestException or IOException or OperationCanceledException)
        {
            answer = Answer.None;
        }

        _operations.Enqueue(new Operation(client, endpoint, key, server.Name, sentAt, Stopwatch.GetTimestamp(), answer));
        return answer;
    }

    /// <summary>Notes a fault for the report.</summary>
    protected void Note(string fault) => _faults.Enqueue(fault);

    /// <summary>One fault after the other.</summary>
    protected virtual async Task FaultsAsync(Random random, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            var server = Cluster.Servers[random.Next(Cluster.Servers.Count)];
            var fault = random.Next(9);
            var length = TimeSpan.FromMilliseconds(random.Next(50, fault is 1 or 8 ? 4000 : 900));
            Note(fault switch
            {
                0 => "server killed",
                1 => "server frozen",
                2 => "connections cut",
                3 => "replies cut",
                4 => "replies cut halfway",
                5 => "store refused",
                6 => "store slow",
                7 => "store frozen",
                _ => "replies held",
            });
            switch (fault)
            {
                case 0:
                    server.Kill();
                    await Task.Delay(length, CancellationToken.None);
                    await server.StartAsync();
                    break;
                case 1:
                    server.Freeze();
                    await Task.Delay(length, CancellationToken.None);
                    server.Thaw();
                    break;
                case 2:
                    server.ToStore.CutConnections();
                    break;
                case 3 or 4:
                    server.ToStore.CutReplies(random.Next(1, 4), halfway: fault == 4);
                    break;
                case 5:
                    server.ToStore.Refuse(true);
                    await Task.Delay(length, CancellationToken.None);
                    server.ToStore.Refuse(false);
                    break;
                case 6:
                    server.ToStore.DelayReplies(TimeSpan.FromMilliseconds(random.Next(1, 100)));
                    await Task.Delay(length, CancellationToken.None);
                    server.ToStore.DelayReplies(TimeSpan.Zero);
                    break;
                case 7:
                    Cluster.FreezeStore();
                    await Task.Delay(length, CancellationToken.None);
                    Cluster.ThawStore();
                    break;
                default:
                    server.ToStore.HoldReplies();
                    await Task.Delay(length, CancellationToken.None);
                    server.ToStore.PassReplies();
                    break;
            }

            await Task.Delay(random.Next(50, 400), CancellationToken.None);
        }
    }

    /// <summary>Brings every key to an end, and then asks every server for it.</summary>
    private Task AuditAsync() => Parallel.ForEachAsync(_keys, new ParallelOptions { MaxDegreeOfParallelism = Clients }, async (asked, _) =>
    {
        var (endpoint, key) = asked;
        await Eventually.GetAsync(
            () => AskAsync("finisher", A, endpoint, key, Ask.Nothing, Timeout.InfiniteTimeSpan),
            answer => answer.IsSuccess || answer.Code == Answer.OutcomeUnknown,
            patience: LongestClaim);
        foreach (var server in Cluster.Servers)
        {
            await AskAsync(History.Auditor, server, endpoint, key, Ask.Nothing, Timeout.InfiniteTimeSpan);
        }
    });

    private void Report(int seed)
    {
        var byKey = _operations.GroupBy(operation => operation.Key).ToDictionary(key => key.Key, key => key.OrderBy(operation => operation.SentAt).ToList());
        var effects = _keys.ToDictionary(asked => asked.Key, asked => Cluster.Effects.Of(asked.Key));
        var clients = _operations.Where(operation => operation.Client.StartsWith("client", StringComparison.Ordinal)).ToList();
        output.WriteLine($"{clients.Count} operations of {Clients} clients on {_keys.Count} keys: "
            + string.Join(", ", clients.CountBy(operation => $"{operation.Answer.Status} {operation.Answer.Code}".Trim()).OrderBy(count => count.Key).Select(count => $"{count.Value} x {count.Key}")));
        output.WriteLine($"{effects.Values.Sum(ran => ran.Count)} effects: {effects.Values.Sum(ran => ran.Count(effect => effect.Fails))} failed, {effects.Values.Sum(ran => ran.Count(effect => effect.Attempt > 1))} in a takeover");
        output.WriteLine(string.Join(", ", _faults.CountBy(fault => fault).OrderBy(count => count.Key).Select(count => $"{count.Value} x {count.Key}")));

        var wrong = _keys.Select(asked => (asked.Key, Violations: History.Violations(effects[asked.Key], byKey[asked.Key]).ToList())).Where(key => key.Violations.Count > 0).ToList();
        Assert.True(wrong.Count == 0, $"IDEMPOTENCY_TEST_SEED={seed}: {wrong.Count} keys with a wrong history.{Environment.NewLine}"
            + string.Join(Environment.NewLine, wrong.Take(3).SelectMany(key => (string[])[$"KEY {key.Key}", .. key.Violations.Select(violation => $"  WRONG {violation}"), .. Story(effects[key.Key], byKey[key.Key])])));
    }

    private static IEnumerable<string> Story(IReadOnlyList<Effect> effects, List<Operation> operations)
    {
        var start = operations[0].SentAt;
        return operations.SelectMany(operation => ((long At, string What)[])[(operation.SentAt, $"{operation.Client} asks {operation.Server}"), (operation.ToldAt, $"{operation.Client} is told by {operation.Server}: {operation.Answer}")])
            .Concat(effects.Select(effect => (effect.At, What: $"{effect}")))
            .OrderBy(line => line.At)
            .Select(line => string.Create(CultureInfo.InvariantCulture, $"  {Stopwatch.GetElapsedTime(start, line.At).TotalMilliseconds,8:F1} ms {line.What}"));
    }

    private static int? Setting(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}

[Collection("Redis")]
public sealed class RedisRandomRunTests(RedisCluster cluster, ITestOutputHelper output) : RandomRunTests(cluster, output);

[Collection("DynamoDB")]
public sealed class DynamoDBRandomRunTests(DynamoDBCluster cluster, ITestOutputHelper output) : RandomRunTests(cluster, output);
