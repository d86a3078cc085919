using System.Net;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What a handler can do about effects beyond this service: keys for calls downstream, and the mark after which nothing runs again.</summary>
public sealed class EffectsTests
{
    private static readonly TimeSpan Lease = new IdempotencyPolicy().ClaimDuration;

    [Fact]
    public async Task After_the_mark_success_is_recorded_and_replayed_and_the_mark_costs_one_call()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            var run = context.Features.Get<IIdempotencyFeature>()!;
            await run.MarkEffectsStartedAsync();
            await run.MarkEffectsStartedAsync();
            return "done";
        }).WithIdempotency());
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.Equal("done", await replay.TextAsync());
        Assert.True(replay.IsReplay());
        Assert.Equal(1, api.Store.Calls("mark"));
    }

    [Fact]
    public async Task Effects_may_start_after_streaming_has()
    {
        Exception? seen = null;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpResponseBodyFeature>()!.DisableBuffering();
            await context.Response.WriteAsync("working...");
            seen = await Record.ExceptionAsync(() => context.Features.Get<IIdempotencyFeature>()!.MarkEffectsStartedAsync());
        }).WithIdempotency());
        using var first = await api.SendAsync();
        await first.TextAsync();
        Assert.Null(seen);
    }

    [Fact]
    public async Task Downstream_keys_are_the_same_in_every_attempt_and_others_for_other_names_and_requests()
    {
        var seen = new List<string>();
        await using var api = await Api.StartAsync(app => app.MapPost("/{path}", (HttpContext context) =>
        {
            var run = context.Features.Get<IIdempotencyFeature>()!;
            seen.AddRange([run.DownstreamKey("charge"), run.DownstreamKey("receipt")]);
            return Results.StatusCode(503); // not recorded: every retry is another attempt
        }).WithIdempotency(new IdempotencyPolicy { Retention = TimeSpan.FromHours(1) }));
        for (var i = 0; i < 2; i++)
        {
            foreach (var (path, key, json, user) in new[] { ("/a", "1", "{}", null), ("/b", "1", "{}", null), ("/a", "2", "{}", null), ("/a", "1", "[]", null), ("/a", "1", "{}", "ann") })
            {
                using var response = await api.SendAsync(path, key, json, user);
            }
        }

        Assert.Equal(seen[..10], seen[10..]);
        Assert.Equal(10, seen[..10].Distinct().Count());
        Assert.All(seen, key => Assert.Matches("^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", key));
    }

    [Fact]
    public async Task Downstream_keys_outlive_a_takeover_and_a_store_that_is_away()
    {
        var gate = new Gate();
        var seen = new List<string>();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            var run = context.Features.Get<IIdempotencyFeature>()!;
            seen.Add($"{run.Attempt} {run.DownstreamKey("charge")}");
            if (seen.Count == 1)
            {
                await gate.PassAsync();
            }

            return "x";
        }).WithIdempotency(new IdempotencyPolicy { WhenStoreUnavailable = StoreUnavailableBehavior.Execute }));
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var late = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(Lease + TimeSpan.FromSeconds(1));
        using var successor = await api.SendAsync();
        gate.Open();
        using var _ = await late;
        api.CompletedRecords.Remove(api.Store.LastKey);
        api.Store.Before = _ => throw new IOException("away");
        using var unprotected = await api.SendAsync();
        Assert.Equal("false", unprotected.Header("Idempotency-Stored"));
        var charge = seen[0][2..];
        Assert.Equal([$"1 {charge}", $"2 {charge}", $"1 {charge}"], seen);
    }

    public enum Ending
    {
        Throws,
        AnswersWith503,
        Aborts,
    }

    [Theory]
    [InlineData(Ending.Throws)]
    [InlineData(Ending.AnswersWith503)]
    [InlineData(Ending.Aborts)]
    public async Task After_the_mark_a_failure_is_an_unknown_outcome_and_never_runs_again(Ending end)
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            Interlocked.Increment(ref runs);
            await context.Features.Get<IIdempotencyFeature>()!.MarkEffectsStartedAsync();
            switch (end)
            {
                case Ending.Throws:
                    throw new InvalidTimeZoneException("mine");
                case Ending.Aborts:
                    context.Abort();
                    return Results.Empty;
                default:
                    return Results.StatusCode(503);
            }
        }).WithIdempotency(), kestrel: end == Ending.Aborts);
        switch (end)
        {
            case Ending.Throws:
                await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync());
                break;
            case Ending.Aborts:
                await Assert.ThrowsAnyAsync<HttpRequestException>(() => api.SendAsync());
                break;
            default:
                using (var first = await api.SendAsync())
                {
                    Assert.Equal(HttpStatusCode.ServiceUnavailable, first.StatusCode);
                }

                break;
        }

        await Eventually.TrueAsync(() => api.Logs.Count("OutcomeUnknown") == 1, "the claim is given up");
        await Eventually.TrueAsync(() => api.Store.Calls("mark") == 2, "the store is told");
        for (var i = 0; i < 3; i++)
        {
            using var retry = await api.SendAsync();
            await retry.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
            api.Time.Advance(2 * Lease);
        }

        Assert.Equal(1, runs);
        Assert.Equal(0, api.Store.Calls("release"));
        api.Time.Advance(TimeSpan.FromHours(25)); // when its retention is over the key is free, as any
        if (end == Ending.AnswersWith503)
        {
            using var anew = await api.SendAsync();
            Assert.Equal(2, runs);
        }
    }

    [Fact]
    public async Task Without_the_mark_a_failure_frees_the_key_as_ever()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => Interlocked.Increment(ref runs) == 1 ? throw new InvalidTimeZoneException() : "x").WithIdempotency());
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync());
        using var retry = await api.SendAsync();
        Assert.Equal("x", await retry.TextAsync());
        Assert.Equal(0, api.Store.Calls("mark"));
    }

    [Theory]
    [InlineData(AbandonedBehavior.TakeOver)]
    [InlineData(AbandonedBehavior.Refuse)]
    public async Task A_process_that_vanishes_after_the_mark_leaves_an_unknown_outcome_whatever_the_policy(AbandonedBehavior abandoned)
    {
        var gate = new Gate();
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            Interlocked.Increment(ref runs);
            await context.Features.Get<IIdempotencyFeature>()!.MarkEffectsStartedAsync();
            await gate.PassAsync();
            return "late";
        }).WithIdempotency(new IdempotencyPolicy { WhenAbandoned = abandoned }));
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var late = api.SendAsync();
        await gate.ArrivedAsync();
        using var early = await api.SendAsync();
        await early.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        api.Time.Advance(Lease + TimeSpan.FromSeconds(1));
        using var refused = await api.SendAsync();
        await refused.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        // It was only frozen. Nobody has taken its claim, so its answer counts.
        gate.Open();
        using var answer = await late;
        Assert.Equal("late", await answer.TextAsync());
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task A_waiting_duplicate_is_told_as_soon_as_the_outcome_is_unknown()
    {
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            await context.Features.Get<IIdempotencyFeature>()!.MarkEffectsStartedAsync();
            await gate.PassAsync();
            return Results.StatusCode(500);
        }).WithIdempotency(new IdempotencyPolicy { WhenInProgress = InProgressBehavior.Wait }));
        var first = api.SendAsync();
        await gate.ArrivedAsync();
        var waiting = api.SendAsync();
        await Eventually.TrueAsync(() => api.Store.Calls("claim") >= 3, "the duplicate waits");
        gate.Open();
        using var failed = await first;
        using var told = await waiting;
        await told.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
    }

    [Fact]
    public async Task A_claim_that_is_lost_before_the_mark_stops_the_handler_before_its_effect()
    {
        var gate = new Gate();
        var effects = 0;
        var runs = 0;
        Exception? stopped = null;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            var run = Interlocked.Increment(ref runs);
            if (run == 1)
            {
                await gate.PassAsync();
            }

            try
            {
                await context.Features.Get<IIdempotencyFeature>()!.MarkEffectsStartedAsync();
            }
            catch (IdempotencyClaimLostException lost)
            {
                stopped = lost;
                throw;
            }

            Interlocked.Increment(ref effects);
            return $"run {run}";
        }).WithIdempotency());
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var late = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(Lease + TimeSpan.FromSeconds(1));
        using var successor = await api.SendAsync();
        gate.Open();
        await Assert.ThrowsAsync<IdempotencyClaimLostException>(() => late);
        Assert.NotNull(stopped);
        Assert.Equal(1, effects);
        using var replay = await api.SendAsync();
        Assert.Equal("run 2", await replay.TextAsync());
        Assert.True(replay.IsReplay());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_store_that_cannot_be_told_stops_the_handler_and_the_key_is_free(bool isOnlyTheReplyLost)
    {
        var effects = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            await context.Features.Get<IIdempotencyFeature>()!.MarkEffectsStartedAsync();
            return $"{Interlocked.Increment(ref effects)}";
        }).WithIdempotency());
        void Fail(string operation)
        {
            if (operation == "mark")
            {
                throw new IOException("away");
            }
        }

        api.Store.Before = isOnlyTheReplyLost ? null : operation => { Fail(operation); return Task.CompletedTask; };
        api.Store.After = isOnlyTheReplyLost ? Fail : null;
        var failure = await Assert.ThrowsAsync<IdempotencyStoreUnavailableException>(() => api.SendAsync());
        Assert.IsType<IOException>(failure.InnerException);
        Assert.Equal(0, effects);
        (api.Store.Before, api.Store.After) = (null, null);
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
    }

    [Fact]
    public async Task A_function_has_the_same_and_its_caller_learns_that_the_outcome_is_unknown()
    {
        var runs = 0;
        var keys = new List<string>();
        await using var api = await Api.StartAsync(_ => { });
        var executor = api.Services.GetRequiredService<IIdempotentExecutor>();
        Task<int> CallAsync() => executor.ExecuteAsync("pay", "key", async (run, cancellation) =>
        {
            keys.Add(run.DownstreamKey("charge"));
            await run.MarkEffectsStartedAsync(cancellation);
            return ++runs > 0 ? throw new InvalidTimeZoneException() : 0;
        });
        await Assert.ThrowsAsync<InvalidTimeZoneException>(CallAsync);
        await Assert.ThrowsAsync<IdempotencyOutcomeUnknownException>(CallAsync);
        api.Time.Advance(2 * Lease);
        await Assert.ThrowsAsync<IdempotencyOutcomeUnknownException>(CallAsync);
        Assert.Equal(1, runs);
        await executor.ExecuteAsync("pay", "other", (run, _) =>
        {
            keys.Add(run.DownstreamKey("charge"));
            return Task.FromResult(1);
        });
        Assert.Equal(2, keys.Distinct().Count());
    }

    [Fact]
    public async Task The_mark_is_made_again_when_the_record_went_away_and_comes_back()
    {
        var runs = 0;
        var completions = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            Interlocked.Increment(ref runs);
            await context.Features.Get<IIdempotencyFeature>()!.MarkEffectsStartedAsync();
            return "x";
        }).WithIdempotency());
        api.Store.Before = async operation =>
        {
            if (operation == "complete")
            {
                // A store that has failed over without the record; and, when that is claimed again, is away.
                _ = ++completions > 2 ? throw new IOException("away") : await api.Store.Inner.DeleteAsync(api.Store.LastKey, default);
            }
        };
        var sent = api.SendAsync();
        await api.Time.PassUntilDoneAsync(sent, "answered");
        using var first = await sent;
        Assert.Equal("false", first.Header("Idempotency-Stored"));
        api.Store.Before = null;
        api.Time.Advance(2 * Lease);
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        Assert.Equal(1, runs);
    }
}
