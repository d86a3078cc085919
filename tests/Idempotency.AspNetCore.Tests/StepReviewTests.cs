namespace Idempotency.AspNetCore.Tests;

/// <summary>What a hostile review of steps found: each of these fails.</summary>
public sealed class StepReviewTests
{
    private static readonly TimeSpan Lease = new IdempotencyPolicy().ClaimDuration;
    private static readonly StepOptions Refuse = new() { WhenInterrupted = InterruptedStepBehavior.Refuse };

    [Fact]
    public async Task A_step_does_not_begin_after_its_claim_was_released()
    {
        var gate = new Gate();
        var (runs, charges) = (0, 0);
        Task? leftBehind = null;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var isFirst = ++runs == 1;
            async Task ChargeAsync()
            {
                if (isFirst)
                {
                    await gate.PassAsync(); // a lookup that takes its time
                }

                await run.StepAsync("charge", _ => Task.FromResult(Interlocked.Increment(ref charges)));
            }

            var charging = ChargeAsync();
            if (isFirst)
            {
                leftBehind = charging;
                throw new InvalidTimeZoneException(); // something beside it failed
            }

            await charging;
            return "done";
        }).WithIdempotency());
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync());
        using var retry = await api.SendAsync();
        Assert.Equal("done", await retry.TextAsync());
        gate.Open();
        await Assert.ThrowsAnyAsync<Exception>(() => leftBehind!);
        Assert.Equal(1, charges);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_begin_that_was_written_and_whose_reply_was_lost_does_not_block_the_key(bool isCancelled)
    {
        var mails = 0;
        using var cancellation = new CancellationTokenSource();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("mail", _ => Task.FromResult(++mails), Refuse, isCancelled && !cancellation.IsCancellationRequested ? cancellation.Token : default);
            return "sent";
        }).WithIdempotency());
        api.Store.After = operation =>
        {
            if (operation == "save-steps")
            {
                api.Store.After = null;
                if (isCancelled)
                {
                    cancellation.Cancel();
                    throw new OperationCanceledException(cancellation.Token);
                }

                throw new IOException("lost");
            }
        };
        try
        {
            using var first = await api.SendAsync();
            await first.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key"); // "nothing has begun, try again"
        }
        catch (OperationCanceledException) when (isCancelled)
        {
        }

        Assert.Equal(0, mails);
        using var retry = await api.SendAsync();
        Assert.Equal("sent", await retry.TextAsync());
    }

    [Fact]
    public async Task A_save_that_the_store_ignores_as_known_does_not_make_the_lease_longer_than_it_is()
    {
        var gate = new Gate();
        var charges = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("first", _ => Task.CompletedTask);
            if (run.Attempt == 1)
            {
                await gate.PassAsync();
            }

            return await run.StepAsync("charge", _ => Task.FromResult(Interlocked.Increment(ref charges)));
        }).WithIdempotency());
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        api.Store.After = operation =>
        {
            if (operation == "save-steps")
            {
                api.Store.After = null;
                api.Time.Advance(TimeSpan.FromSeconds(9)); // written at once; its reply is lost nine seconds later
                throw new IOException("lost");
            }
        };
        var frozen = api.SendAsync();
        var arrived = gate.ArrivedAsync();
        await api.Time.PassUntilDoneAsync(arrived, "the retry of the save", TimeSpan.FromMilliseconds(10));
        await arrived;
        api.Time.Advance(Lease - TimeSpan.FromSeconds(8)); // the store's lease is over; by the owner's reckoning it has eight seconds left
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
        gate.Open();
        using var late = await frozen;
        Assert.Equal(1, charges);
    }

    [Fact]
    public async Task A_step_does_not_begin_on_a_renewal_that_is_confirmed_when_it_is_over()
    {
        var lease = TimeSpan.FromSeconds(3);
        var (gate, slow) = (new Gate(), new Gate());
        var (charges, reachable) = (0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("first", _ => Task.CompletedTask);
            if (run.Attempt == 1)
            {
                await gate.PassAsync();
            }

            return await run.StepAsync("charge", _ => Task.FromResult(Interlocked.Increment(ref charges)));
        }).WithIdempotency(new IdempotencyPolicy { ClaimDuration = lease }));
        api.Store.Before = operation => operation == "renew" && Interlocked.Exchange(ref reachable, 0) == 0 ? throw new IOException("away") : Task.CompletedTask;
        api.Store.AfterAsync = operation => operation == "renew" ? slow.PassAsync() : Task.CompletedTask;
        var frozen = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(lease); // nobody could renew the claim, and nobody else has it yet
        reachable = 1;
        gate.Open();
        await slow.ArrivedAsync(); // the step's renewal is written, and its reply takes longer than that lasts
        api.Time.Advance(lease);
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
        slow.Open();
        using var late = await frozen;
        Assert.Equal(1, charges);
    }

    [Fact]
    public async Task Two_steps_at_once_that_the_store_fails_are_a_503_too()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await Task.WhenAll(run.StepAsync("a", _ => Task.CompletedTask, Refuse), run.StepAsync("b", _ => Task.CompletedTask, Refuse));
            return "done";
        }).WithIdempotency());
        api.Store.Before = operation => operation == "save-steps" ? throw new IOException("away") : Task.CompletedTask;
        using var response = await api.SendAsync();
        await response.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
    }

    [Fact]
    public async Task A_late_response_is_recorded_when_its_successor_has_failed_and_nobody_has_the_key()
    {
        var gate = new Gate();
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("charge", _ => Task.CompletedTask);
            if (Interlocked.Increment(ref runs) == 1)
            {
                await gate.PassAsync();
                return "by the first";
            }

            return runs == 2 ? throw new InvalidTimeZoneException() : "once more";
        }).WithIdempotency());
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var frozen = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(Lease + TimeSpan.FromSeconds(1));
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync());
        gate.Open();
        using var late = await frozen;
        Assert.Equal("by the first", await late.TextAsync());
        using var retry = await api.SendAsync();
        Assert.Equal("by the first", await retry.TextAsync());
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task Steps_never_take_more_than_the_store_can_hold()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            for (var i = 0; i < 100; i++)
            {
                await run.StepAsync($"step-{i}", _ => Task.CompletedTask);
            }

            return Results.StatusCode(500);
        }).WithIdempotency());
        api.Store.MaxPayloadSize = 500;
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => api.SendAsync());
        Assert.Contains("500 bytes", error.Message, StringComparison.Ordinal);
        var record = await api.Store.Inner.ReadAsync(api.Store.LastKey, TestContext.Current.CancellationToken);
        Assert.InRange(record!.Payload.Length, 1, 500);
    }

    [Fact]
    public async Task A_step_that_failed_does_not_keep_a_claim_from_being_released_in_the_background()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("read", _ => ++runs == 1 ? throw new InvalidTimeZoneException() : Task.CompletedTask, new StepOptions { WhenInterrupted = InterruptedStepBehavior.RunAgain });
            return "done";
        }).WithIdempotency(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse }));
        api.Store.Before = operation => operation == "release" && api.Store.Calls("release") == 1 ? throw new IOException("away") : Task.CompletedTask;
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync());
        api.Time.Advance(Lease + TimeSpan.FromSeconds(1));
        using var retry = await api.SendAsync();
        Assert.Equal("done", await retry.TextAsync()); // as it is without the step
    }

    [Fact]
    public async Task Callbacks_of_the_handler_do_not_touch_the_answer_about_its_failed_step()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run, HttpContext context) =>
        {
            context.Response.OnStarting(() =>
            {
                context.Response.StatusCode = 201;
                context.Response.Headers.CacheControl = "public, max-age=600";
                return Task.CompletedTask;
            });
            await run.StepAsync("mail", _ => Task.CompletedTask, Refuse);
            return "sent";
        }).WithIdempotency());
        api.Store.Before = operation => operation == "save-steps" ? throw new IOException("away") : Task.CompletedTask;
        using var response = await api.SendAsync();
        await response.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
    }

    [Fact]
    public async Task The_cause_of_a_step_that_could_not_begin_is_logged()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("mail", _ => Task.CompletedTask, Refuse);
            return "sent";
        }).WithIdempotency());
        api.Store.Before = operation => operation == "save-steps" ? throw new IOException("away") : Task.CompletedTask;
        using var response = await api.SendAsync();
        Assert.Contains(api.Logs.GetSnapshot(), log => log.Exception is IOException or { InnerException: IOException });
    }

    [Fact]
    public async Task A_mark_that_is_given_up_does_not_take_another_ones_mark_away()
    {
        var (reply, crash) = (new Gate(), new Gate());
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            if (Interlocked.Increment(ref runs) > 1)
            {
                return "again";
            }

            var marking = run.MarkEffectsStartedAsync(); // written; its reply takes its time
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run.MarkEffectsStartedAsync(new CancellationToken(canceled: true)));
            await run.StepAsync("beside", _ => Task.CompletedTask);
            reply.Open();
            await marking; // so the effects start
            await crash.PassAsync();
            return "late";
        }).WithIdempotency());
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        api.Store.AfterAsync = operation => operation == "mark" ? reply.PassAsync() : Task.CompletedTask;
        var crashed = api.SendAsync();
        await crash.ArrivedAsync();
        api.Time.Advance(Lease + TimeSpan.FromSeconds(1));
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        Assert.Equal(1, runs);
        crash.Open();
        using var late = await crashed;
    }

    [Fact]
    public async Task What_steps_come_to_is_awaited_before_a_retry_is_ruled_out_also_when_the_claim_is_lost()
    {
        var gate = new Gate();
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (saves, works) = (0, 0);
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            Task StepAsync(string name) => run.StepAsync(name, _ => Task.FromResult(++works), Refuse);
            try
            {
                if (saves > 0)
                {
                    return "done";
                }

                var (one, two, three) = (StepAsync("one"), StepAsync("two"), StepAsync("three"));
                await one;
                await Task.WhenAll(two, three);
                return "never";
            }
            finally
            {
                ended.TrySetResult();
            }
        }).WithIdempotency());
        api.Store.Before = async operation =>
        {
            if (operation == "save-steps" && Interlocked.Increment(ref saves) == 1)
            {
                await api.Store.Inner.DeleteAsync(api.Store.LastKey, default); // an operator: the claim is lost, as the second step learns
                throw new IOException("unreachable"); // for the first, with which the handler ends
            }
        };
        api.Store.AfterAsync = operation => operation == "save-steps" && saves == 3 ? gate.PassAsync() : Task.CompletedTask; // the third has not begun yet
        var sending = api.SendAsync();
        await gate.ArrivedAsync();
        await ended.Task;
        gate.Open();
        using var first = await sending;
        await first.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key"); // none has run
        Assert.Equal(0, works);
        using var retry = await api.SendAsync();
        Assert.Equal("done", await retry.TextAsync());
    }

    [Fact]
    public async Task A_step_whose_work_is_still_running_when_its_handler_has_failed_does_not_run_beside_itself()
    {
        var gate = new Gate();
        var (runs, charges) = (0, 0);
        Task? leftBehind = null;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            var isFirst = ++runs == 1;
            var charging = run.StepAsync("charge", async _ =>
            {
                Interlocked.Increment(ref charges);
                if (isFirst)
                {
                    await gate.PassAsync();
                }
            });
            if (isFirst)
            {
                leftBehind = charging;
                throw new InvalidTimeZoneException(); // a sibling of the step failed while it ran: var a = Step(..); var b = Step(..); await b; await a;
            }

            await charging;
            return "done";
        }).WithIdempotency());
        var first = api.SendAsync();
        await gate.ArrivedAsync();
        using var early = await api.SendAsync();
        await early.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        Assert.False(first.IsCompleted); // the claim is released when no step runs any more
        gate.Open();
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => first);
        await leftBehind!;
        using var retry = await api.SendAsync();
        Assert.Equal("done", await retry.TextAsync());
        Assert.Equal(1, charges);
    }
}
