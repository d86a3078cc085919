using System.Globalization;

namespace Idempotency.AspNetCore.EntityFrameworkCore.KillTests;

/// <summary>
/// The proof of steps: a handler with three effects in other services, whose servers are killed at every point of it. The bank, which knows idempotency keys, has every charge once; a step that was interrupted runs once
/// more at most for each interruption, one that is recorded never again, and one that refuses never twice. And the proof that these tests would see it if it were otherwise.
/// </summary>
/// <remarks>IDEMPOTENCY_TEST_KILLS says how many processes each test of the proof kills, as in <see cref="KillTests"/>.</remarks>
public sealed class StepKillTests(PostgreSqlServer postgreSql, RedisServer redis, DynamoDBServer dynamoDB, ITestOutputHelper output) : IClassFixture<RedisServer>, IClassFixture<DynamoDBServer>
{
    private const string Refusing = "steps-refuse";

    private static readonly int Kills = int.Parse(Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_KILLS") ?? "4", CultureInfo.InvariantCulture);
    private static readonly string[] Steps = ["charge", "receipt", "ship"];
    private static readonly string[] AllPoints = ["entered", .. Steps.SelectMany(step => (string[])[$"before:{step}", $"within:{step}~", $"after:{step}", $"recording:{step}~", $"recorded:{step}"]), "completing~", "sending"];

    [Fact]
    public async Task On_Redis_steps_resume_wherever_processes_are_killed() => AssertNone(await RunAsync(OnRedis(), ["steps", Refusing], AllPoints, Kills));

    [Fact]
    public async Task On_DynamoDB_steps_resume_wherever_processes_are_killed() =>
        AssertNone(await RunAsync(new Dictionary<string, string> { ["Store"] = "DynamoDB", ["Connection"] = dynamoDB.Url, ["AWS_ACCESS_KEY_ID"] = "local", ["AWS_SECRET_ACCESS_KEY"] = "local" }, ["steps", Refusing], AllPoints, Kills));

    [Fact]
    public async Task On_PostgreSQL_steps_resume_wherever_processes_are_killed_whether_or_not_the_handler_has_a_transaction()
    {
        await using var database = await TestDatabase.OnPostgreSqlAsync(postgreSql);
        AssertNone(await RunAsync(database.Settings, ["steps", Refusing, "steps-same"], AllPoints, Kills));
    }

    [Fact]
    public async Task On_SQLite_steps_resume_wherever_processes_are_killed()
    {
        await using var database = await TestDatabase.OnSqliteAsync();
        AssertNone(await RunAsync(database.Settings, ["steps", Refusing], AllPoints, Kills));
    }

    [Fact]
    public async Task Without_steps_charges_and_mails_are_repeated()
    {
        var violations = await RunAsync(OnRedis(), ["no-steps"], ["before:ship"], kills: 1);

        Assert.Contains(violations, violation => violation.Rule == Rule.ChargedOnce);
        Assert.Contains(violations, violation => violation.Rule == Rule.RecordedNeverAgain);
    }

    [Fact]
    public async Task A_step_that_does_not_refuse_is_repeated_when_it_is_interrupted()
    {
        var violations = await RunAsync(OnRedis(), ["steps"], ["after:receipt"], kills: 1, refusing: "steps");

        Assert.Contains(violations, violation => violation.Rule == Rule.RefusingNeverTwice);
        Assert.All(violations, violation => Assert.Equal(Rule.RefusingNeverTwice, violation.Rule));
    }

    private enum Rule
    {
        OneResponse,
        ResponseIsTrue,
        ChargedOnce,
        AgainOnlyWhenInterrupted,
        RecordedNeverAgain,
        RefusingNeverTwice,
        UnknownOnlyWhenInterrupted,
    }

    private static void AssertNone(IReadOnlyList<Violation> violations) => Assert.Empty(violations);

    private Dictionary<string, string> OnRedis() => new() { ["Store"] = "Redis", ["Connection"] = redis.Configuration };

    private async Task<IReadOnlyList<Violation>> RunAsync(IReadOnlyDictionary<string, string> store, IReadOnlyList<string> paths, IReadOnlyList<string> points, int kills, string refusing = Refusing)
    {
        await using var services = await OutsideServices.StartAsync();
        var isProof = points == AllPoints;
        var settings = new Dictionary<string, string>(store) { ["Services"] = services.Url, ["Namespace"] = Guid.NewGuid().ToString("N") };
        var scenario = new CrashScenario(settings, paths, points) { LongestLife = isProof ? 3000 : null, Failures = isProof ? Steps : [], RefusingPath = Refusing };
        var seed = Random.Shared.Next();
        using var run = new CrashRun(scenario, seed);
        await run.RunAsync(kills, TestContext.Current.CancellationToken);

        var violations = Judge(run, services, refusing).ToList();
        var calls = services.Calls.ToLookup(call => call.Step);
        var again = services.Calls.GroupBy(call => (call.Run.Key, call.Step)).Sum(same => same.Count() - 1);
        var unknown = run.Answers.Count(answer => answer.Value.Contains(CrashRun.Unknown));
        output.WriteLine($"{store["Store"]} ({string.Join(", ", paths)}), seed {seed}: {run.Killed} processes killed ({string.Join(", ", run.Crashes.OrderBy(crash => crash.Key).Select(crash => $"{crash.Key} {crash.Value}"))}), {run.Answers.Count} keys, {unknown} unknown, " +
            $"{calls["charge"].Select(call => call.Id).Distinct().Count()} charges, {calls["receipt"].Count()} mails, {calls["ship"].Count()} shipments, {again} steps repeated, {services.Lost} claims lost, {violations.Count} violations.");
        violations.Take(20).ToList().ForEach(violation => output.WriteLine($"{violation}"));
        Assert.NotEmpty(run.Answers);
        return violations;
    }

    private static IEnumerable<Violation> Judge(CrashRun crashes, OutsideServices services, string refusing)
    {
        bool WasInterrupted(OutsideServices.Entered run) => crashes.IsGone(run.Server) || services.IsLost(run);
        var calls = services.Calls.ToLookup(call => call.Run.Key);
        var runs = services.Runs.ToLookup(run => run.Key);
        var confirmed = services.Confirmed.ToLookup(one => (one.Run.Key, one.Step));

        foreach (var (key, told) in crashes.Answers)
        {
            var responses = told.Where(answer => answer != CrashRun.Unknown).Distinct().ToList();
            if (responses.Count > 1)
            {
                yield return new(Rule.OneResponse, key, string.Join(" | ", responses));
            }

            // What a client was told of is there, at the service it is said to be at.
            var effects = calls[key].Select(call => (call.Step, call.Id)).ToHashSet();
            if (responses.Any(response => response.Split(' ') is not { Length: 3 } ids || !Steps.Zip(ids).All(effects.Contains)))
            {
                yield return new(Rule.ResponseIsTrue, key, string.Join(" | ", responses));
            }

            if (told.Contains(CrashRun.Unknown) && !runs[key].Any(WasInterrupted))
            {
                yield return new(Rule.UnknownOnlyWhenInterrupted, key, "");
            }
        }

        foreach (var same in services.Calls.GroupBy(call => (call.Run.Key, call.Step)))
        {
            var (key, step) = same.Key;
            var all = same.ToList();
            var whole = $"{step}: {string.Join(", ", all.Select(call => $"{call.Id} by attempt {call.Run.Attempt} on {call.Run.Server}"))}";
            if (step == "charge" && all.Select(call => call.Id).Distinct().Count() > 1)
            {
                yield return new(Rule.ChargedOnce, key, whole);
            }

            // Every run but one was interrupted in it, and each calls once: so it ran at most once more for each interruption.
            if (all.Count(call => !WasInterrupted(call.Run)) > 1 || all.DistinctBy(call => call.Run.Id).Count() < all.Count)
            {
                yield return new(Rule.AgainOnlyWhenInterrupted, key, whole);
            }

            // By a run that began later. (Not by a later attempt: they are counted anew after a run that failed before its first step.)
            if (all.Any(call => confirmed[same.Key].Any(before => before.Run.At < call.Run.At)))
            {
                yield return new(Rule.RecordedNeverAgain, key, whole);
            }

            if (all.Count > 1 && CrashRun.PathOf(key) == refusing)
            {
                yield return new(Rule.RefusingNeverTwice, key, whole);
            }
        }
    }

    private sealed record Violation(Rule Rule, string Key, string What);
}
