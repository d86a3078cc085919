using System.Net;
using System.Text.Json.Serialization;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Steps: a handler that resumes where it stopped.</summary>
public sealed partial class StepTests
{
    private static readonly TimeSpan Lease = new IdempotencyPolicy().ClaimDuration;

    [Fact]
    public async Task After_a_failure_the_next_attempt_goes_on_where_the_first_one_stopped()
    {
        var (charges, receipts, runs) = (0, 0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            runs++;
            var charge = await run.StepAsync("charge", _ => Task.FromResult(new Charge($"ch-{++charges}", 42.5m)));
            if (runs == 1)
            {
                throw new InvalidTimeZoneException();
            }

            await run.StepAsync("receipt", _ =>
            {
                receipts++;
                return Task.CompletedTask;
            });
            return TypedResults.Ok(new { charge, run.Attempt, run.TookOver });
        }).WithIdempotency());
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync());
        using var retry = await api.SendAsync();
        Assert.Equal("""{"charge":{"id":"ch-1","amount":42.5},"attempt":2,"tookOver":true}""", await retry.TextAsync());
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal((1, 1, 2), (charges, receipts, runs));
        Assert.Equal(2, api.Store.Calls("save-steps")); // one a step, none for a recalled one
        Assert.Equal(1, api.Logs.Count("StepRecalled"));
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(409)]
    public async Task After_a_status_that_is_not_recorded_too(int status)
    {
        var (charges, runs) = (0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var charge = await run.StepAsync("charge", _ => Task.FromResult(++charges));
            return ++runs == 1 ? Results.StatusCode(status) : Results.Ok(charge);
        }).WithIdempotency());
        using var first = await api.SendAsync();
        Assert.Equal(status, (int)first.StatusCode);
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
        Assert.Equal((1, 2), (charges, runs));
    }

    [Theory]
    [InlineData(AbandonedBehavior.TakeOver)]
    [InlineData(AbandonedBehavior.Refuse)]
    public async Task After_a_crash_too_whatever_the_policy_says_of_abandoned_claims(AbandonedBehavior abandoned)
    {
        var gate = new Gate();
        var (charges, runs) = (0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var charge = await run.StepAsync("charge", _ => Task.FromResult(Interlocked.Increment(ref charges)));
            if (Interlocked.Increment(ref runs) == 1)
            {
                await gate.PassAsync();
            }

            return $"{charge} by attempt {run.Attempt}";
        }).WithIdempotency(new IdempotencyPolicy { WhenAbandoned = abandoned }));
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var crashed = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(Lease + TimeSpan.FromSeconds(1));
        using var retry = await api.SendAsync();
        Assert.Equal("1 by attempt 2", await retry.TextAsync());
        gate.Open(); // it was only frozen: the response of its successor counts
        using var late = await crashed;
        Assert.Equal("1 by attempt 2", await late.TextAsync());
        Assert.Equal((1, 2), (charges, runs));
    }

    [Fact]
    public async Task A_frozen_owner_whose_claim_was_taken_over_records_no_step()
    {
        var gate = new Gate();
        var charges = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var attempt = run.Attempt;
            return await run.StepAsync("charge", async _ =>
            {
                Interlocked.Increment(ref charges);
                if (attempt == 1)
                {
                    await gate.PassAsync();
                }

                return attempt;
            });
        }).WithIdempotency());
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var frozen = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(Lease + TimeSpan.FromSeconds(1));
        using var retry = await api.SendAsync();
        Assert.Equal("2", await retry.TextAsync());
        gate.Open();
        using var late = await frozen;
        await late.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        using var replay = await api.SendAsync();
        Assert.Equal("2", await replay.TextAsync());
    }

    [Fact]
    public async Task A_different_request_does_not_find_the_steps()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("charge", _ => Task.CompletedTask);
            return ++runs == 1 ? Results.StatusCode(500) : Results.Ok();
        }).WithIdempotency());
        using var first = await api.SendAsync(json: "{\"amount\":1}");
        using var other = await api.SendAsync(json: "{\"amount\":2}");
        await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task Recorded_steps_last_for_the_retention()
    {
        var charges = 0;
        var policy = new IdempotencyPolicy { Retention = TimeSpan.FromHours(1) };
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("charge", _ => Task.FromResult(++charges));
            return Results.StatusCode(500);
        }).WithIdempotency(policy));
        using var first = await api.SendAsync();
        api.Time.Advance(TimeSpan.FromMinutes(59));
        using var second = await api.SendAsync();
        Assert.Equal(1, charges);
        api.Time.Advance(TimeSpan.FromMinutes(62));
        using var third = await api.SendAsync();
        Assert.Equal(2, charges);
    }

    [Theory]
    [InlineData(AbandonedBehavior.TakeOver, InterruptedStepBehavior.Refuse)]
    [InlineData(AbandonedBehavior.Refuse, null)]
    public async Task A_step_that_must_not_run_twice_ends_in_an_unknown_outcome_when_it_is_interrupted(AbandonedBehavior abandoned, InterruptedStepBehavior? interrupted)
    {
        var gate = new Gate();
        var mails = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("mail", async _ =>
            {
                Interlocked.Increment(ref mails);
                await gate.PassAsync();
            }, new StepOptions { WhenInterrupted = interrupted });
            return "sent";
        }).WithIdempotency(new IdempotencyPolicy { WhenAbandoned = abandoned }));
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var frozen = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(Lease + TimeSpan.FromSeconds(1));
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        gate.Open(); // it was only frozen, and nobody took its claim
        using var answer = await frozen;
        Assert.Equal("sent", await answer.TextAsync());
        Assert.Equal(1, mails);
    }

    [Fact]
    public async Task An_exception_of_a_step_that_must_not_run_twice_leaves_an_unknown_outcome()
    {
        var mails = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("mail", _ => ++mails == 1 ? throw new InvalidTimeZoneException() : Task.CompletedTask, new StepOptions { WhenInterrupted = InterruptedStepBehavior.Refuse });
            return "sent";
        }).WithIdempotency());
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync());
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        Assert.Equal(1, mails);
    }

    [Fact]
    public async Task Once_a_step_that_must_not_run_twice_is_recorded_the_request_can_resume()
    {
        var (mails, runs) = (0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("mail", _ => Task.FromResult(++mails), new StepOptions { WhenInterrupted = InterruptedStepBehavior.Refuse });
            return ++runs == 1 ? Results.StatusCode(500) : Results.Text("sent");
        }).WithIdempotency());
        using var first = await api.SendAsync();
        using var retry = await api.SendAsync();
        Assert.Equal("sent", await retry.TextAsync());
        Assert.Equal((1, 2), (mails, runs));
        Assert.Equal(2, api.Store.Calls("save-steps")); // its start, and its result
    }

    [Fact]
    public async Task An_exception_of_a_step_reaches_the_handler_and_records_nothing()
    {
        var charges = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            try
            {
                return await run.StepAsync("charge", _ => ++charges == 1 ? throw new InvalidTimeZoneException("declined") : Task.FromResult("charged"));
            }
            catch (InvalidTimeZoneException declined)
            {
                return declined.Message;
            }
        }).WithIdempotency());
        using var response = await api.SendAsync();
        Assert.Equal("declined", await response.TextAsync());
        Assert.Equal(0, api.Store.Calls("save-steps"));
    }

    [Fact]
    public async Task An_exception_of_the_library_that_a_step_throws_itself_reaches_the_handler_too()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
            await run.StepAsync("call another service", _ => Task.FromException<int>(new IdempotencyClaimLostException("lost there")))).WithIdempotency());
        var exception = await Assert.ThrowsAsync<IdempotencyClaimLostException>(() => api.SendAsync());
        Assert.Equal("lost there", exception.Message);
    }

    [Fact]
    public async Task The_work_of_a_step_is_canceled_by_the_callers_token()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            using var caller = new CancellationTokenSource();
            return await run.StepAsync(
                "wait",
                async token =>
                {
                    await caller.CancelAsync();
                    return token.IsCancellationRequested;
                },
                cancellationToken: caller.Token);
        }).WithIdempotency());
        using var response = await api.SendAsync();
        Assert.Equal("true", await response.TextAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_work_of_a_step_is_canceled_when_its_claim_is_lost(bool hasToken)
    {
        var started = new TaskCompletionSource();
        var canceled = false;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            using var caller = new CancellationTokenSource();
            await run.StepAsync(
                "wait",
                async token =>
                {
                    started.SetResult();
                    await Task.Delay(Timeout.Infinite, token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    canceled = token.IsCancellationRequested;
                },
                cancellationToken: hasToken ? caller.Token : default);
        }).WithIdempotency());
        var sending = api.SendAsync();
        await started.Task;
        await api.Store.Inner.DeleteAsync(api.Store.LastKey, TestContext.Current.CancellationToken);
        await api.Time.PassUntilDoneAsync(sending, "the end of the run");
        using var response = await sending;
        Assert.True(canceled);
    }

    [Fact]
    public async Task Steps_that_run_at_the_same_time_do_not_lose_each_other()
    {
        var counts = new int[8];
        var runs = 0;
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var first = Interlocked.Increment(ref runs) == 1;
            var steps = Enumerable.Range(0, counts.Length).Select(i => run.StepAsync($"step-{i}", async _ =>
            {
                Interlocked.Increment(ref counts[i]);
                await gate.PassAsync();
                return i;
            }));
            var sum = (await Task.WhenAll(steps)).Sum();
            return first ? Results.StatusCode(500) : Results.Ok(sum);
        }).WithIdempotency());
        var sent = api.SendAsync();
        for (var i = 0; i < counts.Length; i++)
        {
            await gate.ArrivedAsync();
        }

        gate.Open();
        using var first = await sent;
        using var retry = await api.SendAsync();
        Assert.Equal("28", await retry.TextAsync());
        Assert.All(counts, count => Assert.Equal(1, count));
    }

    [Fact]
    public async Task A_name_that_is_used_twice_in_a_run_is_an_error_that_says_so()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("charge", _ => Task.CompletedTask);
            var error = await Assert.ThrowsAsync<InvalidOperationException>(() => run.StepAsync("charge", _ => Task.CompletedTask));
            return error.Message;
        }).WithIdempotency());
        using var response = await api.SendAsync();
        Assert.Contains("'charge' is used more than once", await response.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_have_one_to_a_hundred_characters()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await Assert.ThrowsAsync<ArgumentException>(() => run.StepAsync("", _ => Task.CompletedTask));
            await Assert.ThrowsAsync<ArgumentException>(() => run.StepAsync(new string('x', 101), _ => Task.CompletedTask));
            await run.StepAsync(new string('€', 100), _ => Task.CompletedTask);
            return "ok";
        }).WithIdempotency());
        using var response = await api.SendAsync();
        Assert.Equal("ok", await response.TextAsync());
    }

    [Fact]
    public async Task A_handler_that_changed_ignores_steps_it_does_not_know_and_says_so()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            if (++runs == 1)
            {
                await run.StepAsync("old", _ => Task.FromResult(1));
                return Results.StatusCode(500);
            }

            return Results.Ok(await run.StepAsync("new", _ => Task.FromResult(2)));
        }).WithIdempotency());
        using var first = await api.SendAsync();
        using var retry = await api.SendAsync();
        Assert.Equal("2", await retry.TextAsync());
        Assert.Contains("old", Assert.Single(api.Logs.Entries, entry => entry.Event == "StepsNotUsed").Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Null_value_types_and_source_generated_types_come_back_as_they_were()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var first = ++runs == 1;
            var nothing = await run.StepAsync("null", _ => Task.FromResult<string?>(first ? null : "x"));
            var guid = await run.StepAsync("guid", _ => Task.FromResult(first ? new Guid("00000000-0000-0000-0000-000000000001") : Guid.Empty));
            var charge = await run.StepAsync("charge", _ => Task.FromResult(new Charge(first ? "a" : "b", 1.10m)), Json.Default.Charge);
            var pair = await run.StepAsync("pair", _ => Task.FromResult((first, 2)));
            return first ? Results.StatusCode(500) : Results.Text(FormattableString.Invariant($"{nothing ?? "null"} {guid} {charge.Id} {charge.Amount} {pair}"));
        }).WithIdempotency());
        using var _ = await api.SendAsync();
        using var retry = await api.SendAsync();
        Assert.Equal("null 00000000-0000-0000-0000-000000000001 a 1.10 (True, 2)", await retry.TextAsync());
    }

    [Fact]
    public async Task A_result_that_cannot_be_read_as_the_type_that_is_asked_for_runs_nothing()
    {
        var (runs, charges) = (0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            if (++runs == 1)
            {
                await run.StepAsync("charge", _ => Task.FromResult("a text"));
                return Results.StatusCode(500);
            }

            return Results.Ok(await run.StepAsync("charge", _ => Task.FromResult(++charges)));
        }).WithIdempotency());
        using var first = await api.SendAsync();
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
        Assert.Equal(0, charges);
    }

    [Fact]
    public async Task A_result_that_does_not_fit_is_recorded_as_done_and_never_run_again()
    {
        var (runs, charges) = (0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var large = await run.StepAsync("large", _ => Task.FromResult(new string((char)('a' + ++charges), 5000)));
            return ++runs == 1 ? Results.StatusCode(500) : Results.Text(large);
        }).WithIdempotency());
        api.Store.MaxPayloadSize = 1000;
        api.Store.CompressionThreshold = int.MaxValue;
        using var first = await api.SendAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, first.StatusCode);
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
        Assert.Equal(1, charges);
        Assert.Equal(1, api.Logs.Count("StepResultTooLarge"));
    }

    [Fact]
    public async Task While_the_store_is_away_a_step_that_must_not_run_twice_does_not_start()
    {
        var mails = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("mail", _ => Task.FromResult(++mails), new StepOptions { WhenInterrupted = InterruptedStepBehavior.Refuse });
            return "sent";
        }).WithIdempotency());
        api.Store.Before = operation => operation == "save-steps" ? throw new IOException("away") : Task.CompletedTask;
        using var first = await api.SendAsync();
        await first.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        Assert.Equal(0, mails);
        api.Store.Before = null;

        // The claim is released in the background: that the step has not begun must be recorded first.
        await Eventually.GetAsync(
            async () =>
            {
                api.Time.Advance(TimeSpan.FromMilliseconds(50));
                using var retry = await api.SendAsync();
                return await retry.TextAsync();
            },
            text => text == "sent");
        Assert.Equal(1, mails);
    }

    [Theory]
    [InlineData(InterruptedStepBehavior.RunAgain)]
    [InlineData(InterruptedStepBehavior.Refuse)]
    public async Task A_result_is_recorded_with_retries_and_after_ten_seconds_the_run_fails(InterruptedStepBehavior interrupted)
    {
        var charges = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
            await run.StepAsync("charge", _ => Task.FromResult(++charges), new StepOptions { WhenInterrupted = interrupted })).WithIdempotency());
        api.Store.Before = operation => operation == "save-steps" && charges > 0 ? throw new IOException("away") : Task.CompletedTask;
        var sent = api.SendAsync();
        await api.Time.PassUntilDoneAsync(sent, "the run gives up", TimeSpan.FromMilliseconds(500));
        using var failed = await sent;
        api.Store.Before = null;
        using var retry = await api.SendAsync();
        if (interrupted == InterruptedStepBehavior.Refuse)
        {
            await failed.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
            await retry.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
            Assert.Equal(1, charges);
        }
        else
        {
            await failed.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
            Assert.Equal("2", await retry.TextAsync());
        }
    }

    [Fact]
    public async Task A_lost_reply_of_a_recording_changes_nothing()
    {
        var (runs, charges) = (0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var charge = await run.StepAsync("charge", _ => Task.FromResult(++charges));
            return ++runs == 1 ? Results.StatusCode(500) : Results.Ok(charge);
        }).WithIdempotency());
        api.Store.After = operation =>
        {
            if (operation == "save-steps")
            {
                api.Store.After = null;
                throw new IOException("lost");
            }
        };
        var sent = api.SendAsync();
        await api.Time.PassUntilDoneAsync(sent, "the first attempt", TimeSpan.FromMilliseconds(50));
        using var first = await sent;
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
        Assert.Equal(1, charges);
    }

    [Fact]
    public async Task A_takeover_whose_reply_is_lost_keeps_the_steps()
    {
        var (runs, charges) = (0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var charge = await run.StepAsync("charge", _ => Task.FromResult(++charges));
            return ++runs == 1 ? Results.StatusCode(500) : Results.Ok(charge);
        }).WithIdempotency());
        using var first = await api.SendAsync();
        var claims = api.Store.Calls("claim");
        api.Store.After = operation =>
        {
            if (operation == "claim" && api.Store.Calls("claim") == claims + 2)
            {
                throw new IOException("the reply to the takeover is lost");
            }
        };
        using var lost = await api.SendAsync();
        await lost.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        api.Store.After = null;
        await Eventually.TrueAsync(() => api.Store.Calls("release") == 2, "the claim is released in the background");
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
        Assert.Equal(1, charges);
    }

    [Fact]
    public async Task Marking_and_steps_go_together()
    {
        var (runs, charges) = (0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            runs++;
            await run.StepAsync("charge", _ => Task.FromResult(++charges));
            await run.MarkEffectsStartedAsync();
            await run.StepAsync("after", _ => Task.CompletedTask); // does not remove the mark
            return Results.StatusCode(500);
        }).WithIdempotency());
        using var first = await api.SendAsync();
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        Assert.Equal((1, 1), (runs, charges));
    }

    [Fact]
    public async Task A_handler_without_steps_makes_no_call_for_them()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", (IIdempotentRun run) => run.Attempt).WithIdempotency());
        using var response = await api.SendAsync();
        Assert.Equal(2, api.Store.AllCalls); // claim and completion
    }

    [Fact]
    public async Task Without_protection_steps_just_run()
    {
        await using var api = await Api.StartAsync(app =>
        {
            app.MapPost("/open", async (IIdempotentRun run) => await run.StepAsync("a", _ => Task.FromResult(run.Attempt)));
            app.MapPost("/optional", async (IIdempotencyFeature run) => await run.StepAsync("a", _ => Task.FromResult(run.Key))).WithIdempotency(new IdempotencyPolicy { KeyRequired = false });
        });
        using var open = await api.SendAsync("/open");
        Assert.Equal("1", await open.TextAsync());
        using var optional = await api.SendAsync("/optional", key: null);
        Assert.Equal("", await optional.TextAsync());
        Assert.Equal(0, api.Store.AllCalls);
    }

    [Fact]
    public async Task Functions_have_steps_too()
    {
        await using var functions = new Functions();
        var (charges, runs) = (0, 0);
        Task<int> CallAsync() => functions.Executor.ExecuteAsync("pay", "key", async (run, cancel) =>
        {
            var charge = await run.StepAsync("charge", _ => Task.FromResult(++charges), cancellationToken: cancel);
            return ++runs == 1 ? throw new InvalidTimeZoneException() : charge;
        });
        await Assert.ThrowsAsync<InvalidTimeZoneException>(CallAsync);
        Assert.Equal(1, await CallAsync());
        Assert.Equal((1, 2), (charges, runs));
    }

    [Fact]
    public async Task Steps_are_encrypted_where_responses_are()
    {
        var runs = 0;
        await using var functions = new Functions(configure: builder => builder.ProtectResponses());
        async Task<string> CallAsync() => await functions.Executor.ExecuteAsync("pay", "key", async (run, cancel) =>
        {
            var secret = await run.StepAsync("secret", _ => Task.FromResult(runs == 0 ? "a very secret text" : "another"), cancellationToken: cancel);
            return ++runs == 1 ? throw new InvalidTimeZoneException() : secret;
        });
        await Assert.ThrowsAsync<InvalidTimeZoneException>(CallAsync);
        var stored = await functions.Store.Inner.ReadAsync(functions.Store.LastKey, default);
        Assert.DoesNotContain("very secret", System.Text.Encoding.Latin1.GetString(stored!.Payload.Span), StringComparison.Ordinal);
        Assert.Equal("a very secret text", await CallAsync());
    }

    [Fact]
    public async Task Steps_that_cannot_be_read_run_nothing()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            runs++;
            await run.StepAsync("charge", _ => Task.CompletedTask);
            return Results.StatusCode(500);
        }).WithIdempotency());
        using var first = await api.SendAsync();
        var (key, store) = (api.Store.LastKey, api.Store.Inner);
        var next = Guid.NewGuid();
        var existing = (await store.ReadAsync(key, default))!;
        await store.ClaimAsync(key, new IdempotencyClaim { Owner = next, Fingerprint = existing.Fingerprint, Attempt = 2, Lease = Lease, Retention = Lease, Supersedes = existing.Owner }, default);
        await store.SaveStepsAsync(key, next, new IdempotencySteps { Version = 99, Data = new byte[] { 65, 1, 2, 3 }, EffectsStarted = false }, Lease, Lease, default);
        await store.ReleaseAsync(key, next, default);
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        Assert.Equal(1, runs);
        Assert.Equal(1, api.Logs.Count("RecordUnreadable"));
    }

    [Fact]
    public async Task A_retry_that_is_overtaken_by_a_deletion_and_a_different_request_does_not_get_the_steps_of_that_request()
    {
        var attempts = new List<int>();
        await using var api = await StartFailingAsync(attempts);
        using var first = await api.SendAsync(json: "1");
        BeforeItTakesOver(api, async () =>
        {
            await api.Store.Inner.DeleteAsync(api.Store.LastKey, default);
            using var different = await api.SendAsync(json: "2");
        });
        using var late = await api.SendAsync(json: "1");
        await late.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        Assert.Equal([1, 1], attempts);
    }

    [Fact]
    public async Task A_retry_that_is_overtaken_by_another_retry_follows_it_with_a_number_of_its_own()
    {
        var attempts = new List<int>();
        await using var api = await StartFailingAsync(attempts);
        using var first = await api.SendAsync();
        BeforeItTakesOver(api, async () =>
        {
            using var other = await api.SendAsync();
        });
        using var late = await api.SendAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, late.StatusCode);
        Assert.Equal([1, 2, 3], attempts);
    }

    private static Task<Api> StartFailingAsync(List<int> attempts) => Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
    {
        attempts.Add(run.Attempt);
        await run.StepAsync("charge", _ => Task.CompletedTask);
        return Results.StatusCode(500);
    }).WithIdempotency());

    /// <summary>Something that happens between the two claims of the next request: the one that finds the record, and the one that takes it over.</summary>
    private static void BeforeItTakesOver(Api api, Func<Task> act)
    {
        var claims = 0;
        api.Store.Before = async operation =>
        {
            if (operation == "claim" && ++claims == 2)
            {
                api.Store.Before = null;
                await act();
            }
        };
    }

    [Fact]
    public async Task Operators_see_the_steps_of_a_run_and_no_result()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("charge", _ => Task.FromResult("secret"));
            await run.StepAsync("mail", _ => throw new InvalidTimeZoneException(), new StepOptions { WhenInterrupted = InterruptedStepBehavior.Refuse });
        }).WithIdempotency());
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync());
        var record = await api.Services.GetRequiredService<IIdempotencyRecords>().FindAsync(api.Store.LastKey);
        Assert.True(record!.IsAbandoned);
        Assert.Equal([new("charge", StepState.Recorded, 1, api.Time.GetUtcNow()), new IdempotencyStepView("mail", StepState.Begun, 1, api.Time.GetUtcNow())], record.Steps);
    }

    [Fact]
    public async Task An_action_of_a_controller_can_ask_for_its_run()
    {
        StepController.Charges = 0;
        await using var api = await Api.StartAsync(app => app.MapControllers(), services: services => services.AddControllers().AddApplicationPart(typeof(StepTests).Assembly));
        using var first = await api.SendAsync("/steps", json: "{\"amount\":2}");
        Assert.Equal(HttpStatusCode.InternalServerError, first.StatusCode);
        using var retry = await api.SendAsync("/steps", json: "{\"amount\":2}");
        Assert.Equal("2 by attempt 2, charge 1", await retry.TextAsync());
    }

    internal sealed record Charge(string Id, decimal Amount);

    [JsonSerializable(typeof(Charge))]
    private sealed partial class Json : JsonSerializerContext;
}

/// <summary>Steps in an action, which has a body too.</summary>
[Microsoft.AspNetCore.Mvc.ApiController]
[Microsoft.AspNetCore.Mvc.Route("steps")]
public sealed class StepController : Microsoft.AspNetCore.Mvc.ControllerBase
{
    internal static int Charges { get; set; }

    /// <summary>Fails in its first attempt.</summary>
    [Microsoft.AspNetCore.Mvc.HttpPost]
    [Idempotent]
    public async Task<IResult> PayAsync(StepPayment payment, IIdempotentRun run)
    {
        ArgumentNullException.ThrowIfNull(payment);
        ArgumentNullException.ThrowIfNull(run);
        var charge = await run.StepAsync("charge", _ => Task.FromResult(++Charges));
        return run.Attempt == 1 ? Results.StatusCode(500) : Results.Text($"{payment.Amount} by attempt {run.Attempt}, charge {charge}");
    }
}

/// <summary>What is paid.</summary>
public sealed record StepPayment(decimal Amount);
