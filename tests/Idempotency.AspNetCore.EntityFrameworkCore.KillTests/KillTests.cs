using System.Globalization;
using Idempotency.AspNetCore.KilledHost;

namespace Idempotency.AspNetCore.EntityFrameworkCore.KillTests;

/// <summary>
/// The proof of the same transaction: whenever a process is killed, every key has one effect, whole, and every client was told that one's answer. And the proof
/// that these tests would see it if it were otherwise.
/// </summary>
/// <remarks>
/// IDEMPOTENCY_TEST_KILLS says how many processes each test of the proof kills; by default few, because each has to be started. For thousands, servers that start sooner:
/// <c>dotnet publish tests/Idempotency.AspNetCore.KilledHost -r linux-x64 --self-contained false -p:PublishReadyToRun=true -o FOLDER</c>, and
/// IDEMPOTENCY_TEST_KILLED_HOST=FOLDER/Idempotency.AspNetCore.KilledHost.dll.
/// </remarks>
public sealed class KillTests(PostgreSqlServer postgreSql, MariaDbServer mariaDb, ITestOutputHelper output)
{
    private static readonly int Kills = int.Parse(Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_KILLS") ?? "10", CultureInfo.InvariantCulture);

    // Every process crashes after a write and before its record, so each should leave a key with two effects.
    private const int KillsForTheGap = 6;

    // The points at which a request can have its process crash. The other crashes come from outside, at any time.
    private static readonly string[] AllPoints = ["entered", "between-saves", "saved", "committing", "at-commit~", "committed", "sending"];

    // Those at which separate transactions leave an effect without its record. To show that, a process must not crash earlier: so none is killed from outside either.
    private static readonly string[] GapPoints = ["between-saves", "saved"];

    [Fact]
    public async Task On_PostgreSQL_every_key_has_one_effect_and_its_answer_whenever_processes_are_killed() =>
        AssertOnce(await RunAsync(await TestDatabase.OnPostgreSqlAsync(postgreSql), IdempotencyTransaction.SameAsHandler, Kills));

    [Fact]
    public async Task On_MariaDB_every_key_has_one_effect_and_its_answer_whenever_processes_are_killed() =>
        AssertOnce(await RunAsync(await TestDatabase.OnMariaDbAsync(mariaDb), IdempotencyTransaction.SameAsHandler, Kills));

    [Fact]
    public async Task On_SQLite_every_key_has_one_effect_and_its_answer_whenever_processes_are_killed() =>
        AssertOnce(await RunAsync(await TestDatabase.OnSqliteAsync(), IdempotencyTransaction.SameAsHandler, Kills));

    [Fact]
    public async Task In_separate_transactions_on_PostgreSQL_the_gap_shows() => AssertGap(await RunAsync(await TestDatabase.OnPostgreSqlAsync(postgreSql), IdempotencyTransaction.Separate, KillsForTheGap));

    [Fact]
    public async Task In_separate_transactions_on_MariaDB_the_gap_shows() => AssertGap(await RunAsync(await TestDatabase.OnMariaDbAsync(mariaDb), IdempotencyTransaction.Separate, KillsForTheGap));

    [Fact]
    public async Task In_separate_transactions_on_SQLite_the_gap_shows() => AssertGap(await RunAsync(await TestDatabase.OnSqliteAsync(), IdempotencyTransaction.Separate, KillsForTheGap));

    private static void AssertOnce(Outcome outcome) => Assert.Empty(outcome.Violations);

    // Not more than that: what is told is the recorded answer in either mode, but its effect may be there twice, or half of another beside it.
    private static void AssertGap(Outcome outcome) => Assert.NotEmpty(outcome.Violations);

    private async Task<Outcome> RunAsync(TestDatabase database, IdempotencyTransaction transaction, int kills)
    {
        await using (database)
        {
            var settings = new Dictionary<string, string>(database.Settings) { ["Transaction"] = transaction.ToString() };
            var showsGap = transaction == IdempotencyTransaction.Separate;
            using var run = new CrashRun(new CrashScenario(settings, ["pay"], showsGap ? GapPoints : AllPoints) { LongestLife = showsGap ? null : 1500 }, seed: Random.Shared.Next());
            await run.RunAsync(kills, TestContext.Current.CancellationToken);
            var outcome = await JudgeAsync(database.Bank, run);
            output.WriteLine($"{settings["Store"]}, {transaction}: {run.Killed} processes killed ({string.Join(", ", run.Crashes.OrderBy(crash => crash.Key).Select(crash => $"{crash.Key} {crash.Value}"))}), {outcome.Keys} keys, {outcome.Violations.Count} violations.");
            outcome.Violations.Take(20).ToList().ForEach(output.WriteLine);
            Assert.True(outcome.Keys > 0);
            return outcome;
        }
    }

    /// <summary>What must be true of every key: one payment and one entry, of the same run, and nothing else was ever told.</summary>
    private static async Task<Outcome> JudgeAsync(Bank bank, CrashRun crashes)
    {
        var payments = (await bank.Payments.AsNoTracking().ToListAsync()).ToLookup(payment => payment.Key, payment => payment.Id);
        var entries = (await bank.Entries.AsNoTracking().ToListAsync()).ToLookup(entry => entry.Key, entry => entry.Id);
        var violations = new List<string>();
        foreach (var (key, told) in crashes.Answers)
        {
            var runs = payments[key].Concat(entries[key]).Select(run => run.ToString()).Concat(told).Distinct().ToList();
            if (payments[key].Count() != 1 || entries[key].Count() != 1 || runs.Count != 1)
            {
                violations.Add($"{key}: payments {string.Join(' ', payments[key])}; entries {string.Join(' ', entries[key])}; told {string.Join(' ', told.Distinct())}");
            }
        }

        violations.AddRange(payments.Select(payment => payment.Key).Except(crashes.Answers.Keys).Select(key => $"{key}: has an effect, and nobody asked for it"));
        return new Outcome(crashes.Answers.Count, violations);
    }

    private sealed record Outcome(int Keys, IReadOnlyList<string> Violations);
}
