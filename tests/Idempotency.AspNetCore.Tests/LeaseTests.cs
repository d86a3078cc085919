using System.Net;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Claims: kept by a live handler, taken over or refused when the owner vanished, and never anybody's but their owner's.</summary>
public sealed class LeaseTests
{
    private static readonly TimeSpan Third = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_handler_that_runs_longer_than_its_lease_keeps_it()
    {
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () => { await gate.PassAsync(); return "x"; }).WithIdempotency());
        var first = api.SendAsync();
        await gate.ArrivedAsync();
        for (var i = 1; i <= 10; i++)
        {
            api.Time.Advance(Third);
            await Eventually.TrueAsync(() => api.Store.Calls("renew") == i, $"renewal {i}");
            using var duplicate = await api.SendAsync();
            await duplicate.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        }

        gate.Open();
        using var answer = await first;
        Assert.Equal("x", await answer.TextAsync());
        api.Time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(10, api.Store.Calls("renew"));
    }

    [Fact]
    public async Task A_renewal_beside_a_completion_is_no_lost_claim()
    {
        var gate = new Gate();
        var lost = false;
        var renewed = false;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            var token = context.Features.Get<IIdempotencyFeature>()!.ClaimLost;
            context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpResponseBodyFeature>()!.DisableBuffering();
            await context.Response.WriteAsync("working...");
            lost = token.IsCancellationRequested;
        }).WithIdempotency());
        api.Store.AfterAsync = operation =>
        {
            renewed |= operation == "renew";
            return operation == "complete" ? gate.PassAsync() : Task.CompletedTask;
        };
        var sent = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(Third + TimeSpan.FromMilliseconds(10));
        await Eventually.TrueAsync(() => renewed, "the renewal is refused");
        gate.Open();
        await Eventually.TrueAsync(
            () =>
            {
                api.Time.Advance(TimeSpan.FromMilliseconds(50)); // the pause before recording is tried again
                return sent.IsCompleted;
            },
            "the response");
        using var response = await sent;
        await response.TextAsync();
        Assert.Equal(0, api.Logs.Count("ClaimLost"));
        Assert.False(lost);
    }

    [Fact]
    public async Task A_renewal_that_fails_is_tried_again_before_the_lease_is_over()
    {
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () => { await gate.PassAsync(); return "x"; }).WithIdempotency());
        api.Store.Before = operation => operation == "renew" && api.Store.Calls("renew") <= 1 ? throw new IOException("away") : Task.CompletedTask;
        var first = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(Third);
        await Eventually.TrueAsync(() => api.Logs.Count("RenewalFailed") == 1, "the failure");
        await Eventually.TrueAsync(
            () =>
            {
                api.Time.Advance(TimeSpan.FromSeconds(1));
                return api.Store.Calls("renew") == 2;
            },
            "the next try");
        api.Time.Advance(TimeSpan.FromSeconds(39));
        using var duplicate = await api.SendAsync();
        await duplicate.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        gate.Open();
        using var _ = await first;
    }

    [Fact]
    public async Task A_store_that_is_away_for_half_a_lease_costs_nothing()
    {
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () => { await gate.PassAsync(); return "x"; }).WithIdempotency());
        var away = true;
        api.Store.Before = operation => operation == "renew" && away ? throw new IOException("away") : Task.CompletedTask;
        var first = api.SendAsync();
        await gate.ArrivedAsync();
        for (var seconds = 0; seconds < 55; seconds += 5)
        {
            away = seconds < 50;
            api.Time.Advance(TimeSpan.FromSeconds(5));
            await Eventually.TrueAsync(() => api.Store.Calls("renew") >= (seconds / 5) - 2, "a try every twelfth of the lease");
        }

        await Eventually.TrueAsync(() => api.Store.Calls("renew") > 7, "the try that succeeds");
        api.Time.Advance(TimeSpan.FromSeconds(15));
        using var duplicate = await api.SendAsync();
        await duplicate.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        gate.Open();
        using var answer = await first;
        Assert.Equal("x", await answer.TextAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_claim_whose_reply_comes_after_its_lease_runs_only_if_it_is_still_ours(bool isTakenOver)
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(new IdempotencyPolicy { ClaimDuration = TimeSpan.FromSeconds(5) }));
        var reply = new Gate();
        api.Store.AfterAsync = operation => operation == "claim" && api.Store.Calls("claim") == 1 ? reply.PassAsync() : Task.CompletedTask;
        var first = api.SendAsync();
        await reply.ArrivedAsync();
        api.Time.Advance(TimeSpan.FromSeconds(6));
        if (isTakenOver)
        {
            using var second = await api.SendAsync();
            Assert.Equal("1", await second.TextAsync());
        }

        reply.Open();
        using var answer = await first;
        Assert.Equal("1", await answer.TextAsync());
        Assert.Equal(isTakenOver, answer.IsReplay());
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task A_claim_whose_renewal_is_answered_after_its_lease_too_runs_only_if_it_is_still_ours()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(new IdempotencyPolicy { ClaimDuration = TimeSpan.FromSeconds(5) }));
        var claimed = new Gate();
        var renewed = new Gate();
        api.Store.AfterAsync = operation => operation == "claim" && api.Store.Calls("claim") == 1 ? claimed.PassAsync()
            : operation == "renew" && api.Store.Calls("renew") == 1 ? renewed.PassAsync()
            : Task.CompletedTask;
        var first = api.SendAsync();
        await claimed.ArrivedAsync();
        api.Time.Advance(TimeSpan.FromSeconds(3));
        claimed.Open();
        await renewed.ArrivedAsync();
        api.Time.Advance(TimeSpan.FromSeconds(6));
        using var second = await api.SendAsync();
        Assert.Equal("1", await second.TextAsync());
        renewed.Open();
        using var answer = await first;
        Assert.True(answer.IsReplay());
        Assert.Equal("1", await answer.TextAsync());
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task A_store_whose_every_reply_takes_longer_than_the_lease_is_away()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(new IdempotencyPolicy { ClaimDuration = TimeSpan.FromSeconds(3) }));
        api.Store.After = operation =>
        {
            if (operation is "claim" or "renew")
            {
                api.Time.Advance(TimeSpan.FromSeconds(4));
            }
        };
        using var answer = await api.SendAsync();
        await answer.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        Assert.Equal(0, runs);
        api.Store.After = null;
        await Eventually.TrueAsync(() => api.Store.Calls("release") > 0, "the claim that is given up");
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
    }

    [Fact]
    public async Task A_claim_that_is_lost_is_not_renewed_again()
    {
        var (api, gate, late) = await StartLapsedAsync(new(), (run, _) => Task.FromResult(Results.Text($"run {run}")));
        await using var __ = api;
        using var successor = await api.SendAsync();
        api.Store.Before = null;
        var before = api.Store.Calls("renew");
        for (var i = 0; i < 20; i++)
        {
            api.Time.Advance(Third);
        }

        await Eventually.TrueAsync(() => api.Logs.Count("ClaimLost") == 1, "the loss is noticed");
        Assert.InRange(api.Store.Calls("renew"), before, before + 3);
        gate.Open();
        using var _ = await late;
        Assert.Equal(1, api.Logs.Count("ClaimLost")); // told once, though it is found again when it comes to complete
    }

    [Fact]
    public async Task Renewals_carry_nothing_of_the_request_that_happened_to_be_first()
    {
        var ambient = new AsyncLocal<string?>();
        var gate = new Gate();
        string? seen = "nothing yet";
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async () => { await gate.PassAsync(); return "x"; }).WithIdempotency(),
            outer: app => app.Use((context, next) => { ambient.Value = "a request's own"; return next(context); }));
        api.Store.Before = operation =>
        {
            seen = operation == "renew" ? ambient.Value : seen;
            return Task.CompletedTask;
        };
        var first = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(Third);
        await Eventually.TrueAsync(() => api.Store.Calls("renew") == 1, "the renewal");
        Assert.Null(seen);
        gate.Open();
        using var _ = await first;
    }

    /// <summary>A run whose owner lost the store: its lease lapses, as after a crash, but it comes back.</summary>
    private static async Task<(Api Api, Gate Gate, Task<HttpResponseMessage> Late)> StartLapsedAsync(IdempotencyPolicy policy, Func<int, IIdempotencyFeature, Task<IResult>> handler)
    {
        var gate = new Gate();
        var runs = 0;
        var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            var run = Interlocked.Increment(ref runs);
            var feature = context.Features.Get<IIdempotencyFeature>()!;
            if (run == 1)
            {
                _ = feature.ClaimLost;
                await gate.PassAsync();
            }

            return await handler(run, feature);
        }).WithIdempotency(policy));
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var late = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(TimeSpan.FromSeconds(61));
        return (api, gate, late);
    }

    [Fact]
    public async Task An_abandoned_claim_is_taken_over_with_the_attempt_counted()
    {
        var (api, gate, late) = await StartLapsedAsync(new(), (run, feature) => Task.FromResult(Results.Text($"run {run} attempt {feature.Attempt} {feature.TookOver}")));
        await using var __ = api;
        using var successor = await api.SendAsync();
        Assert.Equal("run 2 attempt 2 True", await successor.TextAsync());
        Assert.False(successor.IsReplay());
        Assert.Equal(1, api.Logs.Count("TookOver"));

        // The late owner comes back: it neither overwrites nor deletes, and its client gets the answer that counts.
        gate.Open();
        using var lateAnswer = await late;
        Assert.Equal("run 2 attempt 2 True", await lateAnswer.TextAsync());
        Assert.True(lateAnswer.IsReplay());
        using var retry = await api.SendAsync();
        Assert.Equal("run 2 attempt 2 True", await retry.TextAsync());
    }

    [Fact]
    public async Task A_late_owner_whose_caller_may_not_have_the_recorded_response_gets_neither()
    {
        var (api, gate, late) = await StartLapsedAsync(new() { AuthorizeReplay = _ => ValueTask.FromResult(false) }, (run, _) => Task.FromResult(Results.Text($"run {run}")));
        await using var __ = api;
        using var successor = await api.SendAsync();
        Assert.Equal("run 2", await successor.TextAsync());
        gate.Open();
        using var lateAnswer = await late;
        await lateAnswer.AssertProblemAsync(403, "idempotency-replay-forbidden", "no");
    }

    [Fact]
    public async Task A_late_owner_that_fails_does_not_free_its_successors_key()
    {
        var (api, gate, late) = await StartLapsedAsync(new(), (run, _) => Task.FromResult(run == 1 ? Results.StatusCode(500) : Results.Text("second")));
        await using var __ = api;
        using var successor = await api.SendAsync();
        gate.Open();
        using var lateAnswer = await late;
        Assert.Equal(HttpStatusCode.InternalServerError, lateAnswer.StatusCode);
        using var retry = await api.SendAsync();
        Assert.True(retry.IsReplay());
        Assert.Equal("second", await retry.TextAsync());
    }

    [Fact]
    public async Task A_late_owner_whose_successor_still_runs_does_not_tell_its_own_answer()
    {
        var second = new Gate();
        var (api, gate, late) = await StartLapsedAsync(new(), async (run, _) =>
        {
            if (run == 2)
            {
                await second.PassAsync();
            }

            return Results.Text($"run {run}");
        });
        await using var __ = api;
        var successor = api.SendAsync();
        await second.ArrivedAsync();
        gate.Open();
        using var lateAnswer = await late;
        await lateAnswer.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        second.Open();
        using var answer = await successor;
        Assert.Equal("run 2", await answer.TextAsync());
        using var retry = await api.SendAsync();
        Assert.Equal("run 2", await retry.TextAsync());
    }

    [Fact]
    public async Task A_late_owner_nobody_took_over_from_still_records_its_answer()
    {
        var (api, gate, late) = await StartLapsedAsync(new(), (run, _) => Task.FromResult(Results.Text($"run {run}")));
        await using var __ = api;
        gate.Open();
        using var lateAnswer = await late;
        using var retry = await api.SendAsync();
        Assert.Equal("run 1", await lateAnswer.TextAsync());
        Assert.True(retry.IsReplay());
    }

    [Fact]
    public async Task A_late_owner_whose_successor_failed_records_its_answer_before_it_tells_it()
    {
        var (api, gate, late) = await StartLapsedAsync(new(), (run, _) => Task.FromResult(run == 2 ? Results.StatusCode(500) : Results.Text($"run {run}")));
        await using var __ = api;
        using var successor = await api.SendAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, successor.StatusCode);
        gate.Open();
        await api.Time.PassUntilDoneAsync(late, "the late answer", TimeSpan.FromMilliseconds(50));
        using var lateAnswer = await late;
        Assert.Equal("run 1", await lateAnswer.TextAsync());
        Assert.Null(lateAnswer.Header("Idempotency-Stored"));
        using var retry = await api.SendAsync();
        Assert.True(retry.IsReplay());
        Assert.Equal("run 1", await retry.TextAsync());
    }

    [Fact]
    public async Task The_handler_can_learn_that_its_claim_is_lost()
    {
        var lost = new TaskCompletionSource();
        var (api, gate, late) = await StartLapsedAsync(new(), (run, feature) =>
        {
            feature.ClaimLost.Register(() => lost.TrySetResult());
            return Task.FromResult(Results.Text($"run {run}"));
        });
        await using var __ = api;
        using var successor = await api.SendAsync();
        api.Store.Before = null;
        api.Time.Advance(Third);
        await Eventually.TrueAsync(() => api.Logs.Count("ClaimLost") == 1, "the loss is noticed");
        gate.Open();
        using var lateAnswer = await late;
        await lost.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task With_Refuse_an_abandoned_claim_is_never_run_again()
    {
        var (api, gate, late) = await StartLapsedAsync(new() { WhenAbandoned = AbandonedBehavior.Refuse }, (run, _) => Task.FromResult(Results.Text($"run {run}")));
        await using var __ = api;
        using var refused = await api.SendAsync();
        await refused.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        api.Time.Advance(TimeSpan.FromHours(23));
        using var refusedStill = await api.SendAsync();
        await refusedStill.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        gate.Open();
        using var lateAnswer = await late;
        using var retry = await api.SendAsync();
        Assert.Equal("run 1", await retry.TextAsync());
    }

    [Fact]
    public async Task A_different_request_does_not_take_over_an_abandoned_key()
    {
        var (api, gate, late) = await StartLapsedAsync(new(), (run, _) => Task.FromResult(Results.Text($"run {run}")));
        await using var __ = api;
        using var reused = await api.SendAsync(json: "{\"other\":1}");
        await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        gate.Open();
        using var _ = await late;
    }

    [Fact]
    public async Task Of_many_that_find_an_abandoned_claim_one_takes_over()
    {
        var second = new Gate();
        var runs = 0;
        var (api, gate, late) = await StartLapsedAsync(new(), async (run, _) =>
        {
            if (run > 1)
            {
                Interlocked.Increment(ref runs);
                await second.PassAsync();
            }

            return Results.Text($"run {run}");
        });
        await using var __ = api;
        var all = Enumerable.Range(0, 50).Select(_ => api.SendAsync()).ToList();
        await Eventually.TrueAsync(() => all.Count(task => task.IsCompleted) == 49, "49 refusals");
        second.Open();
        var responses = await Task.WhenAll(all);
        Assert.Equal(1, runs);
        Assert.Equal(49, responses.Count(response => response.StatusCode == HttpStatusCode.Conflict));
        gate.Open();
        using var lateAnswer = await late;
        Assert.Equal("run 2", await lateAnswer.TextAsync());
    }

    [Fact]
    public async Task A_large_answer_of_a_late_owner_is_not_streamed()
    {
        var policy = new IdempotencyPolicy { MaxResponseBodySize = 100 };
        var (api, gate, late) = await StartLapsedAsync(policy, (run, _) => Task.FromResult(run == 1 ? Results.Text(new string('1', 5000)) : Results.Text("short")));
        await using var __ = api;
        using var successor = await api.SendAsync();
        gate.Open();
        using var lateAnswer = await late;
        Assert.Equal("short", await lateAnswer.TextAsync());
        Assert.True(lateAnswer.IsReplay());
    }
}
