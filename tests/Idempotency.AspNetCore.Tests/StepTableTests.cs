using System.Net;
using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The table of docs/steps.md, row by row: what it says is what a client meets.</summary>
public sealed class StepTableTests
{
    private const string NoStep = "no step";
    private const string Recorded = "all steps recorded";
    private const string Begun = "a step has begun";
    private const string Crash = "crash";
    private const string Exception = "exception";
    private const string Status = "status not recorded";

    private static readonly TimeSpan Lease = new IdempotencyPolicy().ClaimDuration;

    public static TheoryData<string, string> Rows() =>
        [.. from progress in new[] { NoStep, Recorded, Begun } from end in new[] { Crash, Exception, Status } select (progress, end)];

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_retry_meets_what_the_table_says(string progress, string end)
    {
        var (takeOver, refuse) = PageRow(progress, end);
        Assert.Equal(takeOver, await MeetAsync(progress, end, AbandonedBehavior.TakeOver, null));
        Assert.Equal(refuse, await MeetAsync(progress, end, AbandonedBehavior.Refuse, null));
    }

    [Theory]
    [InlineData(Crash)]
    [InlineData(Exception)]
    [InlineData(Status)]
    public async Task A_step_that_says_so_itself_is_in_the_other_column(string end)
    {
        var (takeOver, refuse) = PageRow(Begun, end);
        Assert.Equal(refuse, await MeetAsync(Begun, end, AbandonedBehavior.TakeOver, InterruptedStepBehavior.Refuse));
        Assert.Equal(takeOver, await MeetAsync(Begun, end, AbandonedBehavior.Refuse, InterruptedStepBehavior.RunAgain));
    }

    [Fact]
    public async Task Under_refuse_a_first_step_that_may_run_again_is_no_step_until_it_is_recorded()
    {
        Assert.Equal(PageRow(NoStep, Crash).Refuse, await MeetAsync(Begun, Crash, AbandonedBehavior.Refuse, InterruptedStepBehavior.RunAgain, first: "mail"));
    }

    [Fact]
    public async Task The_pages_example_charges_once_and_welcomes_once()
    {
        var mailer = new Mailer();
        await using var api = await Api.StartAsync(
            app =>
            {
                #region docs: steps
                app.MapPost("/subscriptions", async (Order order, IIdempotentRun run, BankClient bank, Mailer mailer) =>
                {
                    var charge = await run.StepAsync("charge", cancel => bank.ChargeAsync(order, run.DownstreamKey("charge"), cancel));
                    await run.StepAsync("welcome", cancel => mailer.WelcomeAsync(charge, cancel), new StepOptions { WhenInterrupted = InterruptedStepBehavior.Refuse });
                    return TypedResults.Ok(charge);
                }).WithIdempotency();
                #endregion
            },
            services: services => services.AddSingleton<BankClient>().AddSingleton(mailer));
        using var first = await api.SendAsync("/subscriptions", json: "{\"amount\":5}");
        using var replay = await api.SendAsync("/subscriptions", json: "{\"amount\":5}");
        Assert.True(replay.IsReplay());
        Assert.Contains("\"amount\":5", await replay.TextAsync(), StringComparison.Ordinal);
        Assert.Equal(1, mailer.Sent);
        Assert.Equal(3, api.Store.Calls("save-steps")); // one for the charge, two for the mail
    }

    [Fact]
    public void The_table_has_no_other_row() => Assert.Equal(Rows().Count, PageRows().Count());

    /// <summary>Lets the first attempt come that far and end that way, and tells in the page's words what becomes of a retry.</summary>
    private static async Task<string> MeetAsync(string progress, string end, AbandonedBehavior abandoned, InterruptedStepBehavior? interrupted, string first = "charge")
    {
        var gate = new Gate();
        var (charges, mails, runs) = (0, 0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var isFirst = Interlocked.Increment(ref runs) == 1;
            if (progress != NoStep && (first == "charge" || !isFirst))
            {
                await run.StepAsync("charge", _ => Task.FromResult(Interlocked.Increment(ref charges)));
            }

            if (isFirst && progress != Begun)
            {
                return await EndAsync();
            }

            try
            {
                await run.StepAsync("mail", async _ =>
                {
                    if (Interlocked.Increment(ref mails) == 1 && progress == Begun)
                    {
                        await EndAsync();
                    }
                }, interrupted is null ? null : new StepOptions { WhenInterrupted = interrupted });
            }
            catch (InvalidTimeZoneException) when (end == Status)
            {
                return Results.StatusCode(500);
            }

            return Results.Text("done");
        }).WithIdempotency(new IdempotencyPolicy { WhenAbandoned = abandoned }));
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;

        var attempt = api.SendAsync();
        if (end == Crash)
        {
            await gate.ArrivedAsync();
            using var early = await api.SendAsync();
            await early.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
            api.Time.Advance(Lease + TimeSpan.FromSeconds(1));
        }
        else if (end == Exception)
        {
            await Assert.ThrowsAsync<InvalidTimeZoneException>(() => attempt);
        }
        else
        {
            using var failed = await attempt;
            Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        }

        using var retry = await api.SendAsync();
        var met = (retry.StatusCode, charges, mails, runs) switch
        {
            (HttpStatusCode.OK, 1, 1, 2) when progress == Recorded => "resumes",
            (HttpStatusCode.OK, 1, 2, 2) when progress == Begun => "resumes; the interrupted step runs again",
            (HttpStatusCode.OK, 0, 1, 2) when progress == NoStep => "runs from the start",
            (HttpStatusCode.Conflict, _, <= 1, 1) => "`idempotency-outcome-unknown`",
            var other => $"unexpected: {other}",
        };
        if (retry.StatusCode == HttpStatusCode.Conflict)
        {
            await retry.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        }

        gate.Open(); // the process was only frozen
        if (end == Crash)
        {
            using var late = await attempt;
        }

        return met;

        async Task<IResult> EndAsync()
        {
            switch (end)
            {
                case Crash:
                    await gate.PassAsync();
                    return Results.Ok();
                case Status when progress != Begun:
                    return Results.StatusCode(500);
                default:
                    throw new InvalidTimeZoneException();
            }
        }
    }

    private static (string TakeOver, string Refuse) PageRow(string progress, string end)
    {
        var row = Assert.Single(PageRows(), cells => cells[0] == progress && cells[1] == end);
        return (row[2], row[3]);
    }

    private static IEnumerable<string[]> PageRows() => File.ReadAllLines(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", "docs", "steps.md"))
        .SkipWhile(line => !line.StartsWith("| how far it came |", StringComparison.Ordinal))
        .Skip(2)
        .TakeWhile(line => line.StartsWith('|'))
        .Select(line => line.Trim('|').Split('|', StringSplitOptions.TrimEntries));

    private sealed record Order(decimal Amount);

    private sealed record Receipt(string Key, decimal Amount);

    private sealed class BankClient
    {
        public Task<Receipt> ChargeAsync(Order order, string idempotencyKey, CancellationToken cancellation) =>
            cancellation.IsCancellationRequested ? Task.FromCanceled<Receipt>(cancellation) : Task.FromResult(new Receipt(idempotencyKey, order.Amount));
    }

    private sealed class Mailer
    {
        public int Sent { get; private set; }

        public Task WelcomeAsync(Receipt charge, CancellationToken cancellation)
        {
            Sent += charge.Amount > 0 ? 1 : 0;
            return cancellation.IsCancellationRequested ? Task.FromCanceled(cancellation) : Task.CompletedTask;
        }
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
