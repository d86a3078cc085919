using System.Net;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What fails: handlers, stores before and after them, records that make no sense.</summary>
public sealed class FailureTests
{
    [Theory]
    [InlineData(200, true)]
    [InlineData(302, true)]
    [InlineData(400, true)]
    [InlineData(402, true)]
    [InlineData(404, true)]
    [InlineData(410, true)]
    [InlineData(418, true)]
    [InlineData(422, true)]
    [InlineData(451, true)]
    [InlineData(304, false)]
    [InlineData(401, false)]
    [InlineData(403, false)]
    [InlineData(407, false)]
    [InlineData(408, false)]
    [InlineData(409, false)]
    [InlineData(412, false)]
    [InlineData(421, false)]
    [InlineData(423, false)]
    [InlineData(424, false)]
    [InlineData(425, false)]
    [InlineData(428, false)]
    [InlineData(429, false)]
    [InlineData(500, false)]
    [InlineData(502, false)]
    [InlineData(503, false)]
    [InlineData(599, false)]
    public async Task A_status_is_stored_or_frees_the_key(int status, bool isStored)
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => { runs++; return Results.StatusCode(status); }).WithIdempotency());
        using var first = await api.SendAsync();
        using var second = await api.SendAsync();
        Assert.Equal(status, (int)first.StatusCode);
        Assert.Equal(status, (int)second.StatusCode);
        Assert.Equal(isStored, second.IsReplay());
        Assert.Equal(isStored, first.Headers.ETag is not null);
        Assert.Equal(isStored ? 1 : 2, runs);
    }

    [Fact]
    public async Task A_policy_can_keep_more_or_less_but_never_304_and_412()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/{status:int}", (int status) => { runs++; return Results.StatusCode(status); })
            .WithIdempotency(new IdempotencyPolicy { ShouldStore = response => response.StatusCode != 400 }));
        foreach (var (status, isStored) in new[] { (500, true), (409, true), (400, false), (304, false), (412, false) })
        {
            using var first = await api.SendAsync($"/{status}");
            using var second = await api.SendAsync($"/{status}");
            Assert.Equal(isStored, second.IsReplay());
        }

        Assert.Equal(8, runs);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_exception_reaches_the_applications_handler_untouched_and_frees_the_key(bool afterWriting)
    {
        var runs = 0;
        Exception? seen = null;
        var thrown = new InvalidTimeZoneException("mine");
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpContext context) =>
            {
                if (++runs > 1)
                {
                    await context.Response.WriteAsync("fine");
                    return;
                }

                context.Response.StatusCode = 201;
                context.Response.Headers["X-Half"] = "1";
                if (afterWriting)
                {
                    await context.Response.WriteAsync("half an answer");
                    await context.Response.Body.FlushAsync();
                }

                throw thrown;
            }).WithIdempotency(),
            outer: app => app.UseExceptionHandler(handler => handler.Run(async context =>
            {
                seen = context.Features.Get<IExceptionHandlerFeature>()?.Error;
                await context.Response.WriteAsync("handled");
            })),
            kestrel: true);
        using var failed = await api.SendAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        Assert.Equal("handled", await failed.TextAsync());
        Assert.Null(failed.Header("X-Half"));
        Assert.Same(thrown, seen);
        using var retry = await api.SendAsync();
        Assert.Equal("fine", await retry.TextAsync());
        Assert.False(retry.IsReplay());
    }

    [Fact]
    public async Task Callbacks_of_a_handler_that_throws_run_as_they_would_have()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) =>
            {
                context.Response.OnStarting(() => { context.Response.Headers.Append("X-Order", "first registered"); return Task.CompletedTask; });
                context.Response.OnStarting(() => { context.Response.Headers.Append("X-Order", "last registered"); return Task.CompletedTask; });
                throw new InvalidOperationException();
            }).WithIdempotency(),
            outer: app => app.UseExceptionHandler(handler => handler.Run(context => context.Response.WriteAsync("handled"))),
            kestrel: true);
        using var failed = await api.SendAsync();
        Assert.Equal("last registered | first registered", failed.Header("X-Order"));
    }

    [Fact]
    public async Task A_callback_that_throws_frees_the_key()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) =>
            {
                if (++runs == 1)
                {
                    context.Response.OnStarting(() => throw new InvalidTimeZoneException());
                }

                return "x";
            }).WithIdempotency(),
            outer: app => app.UseExceptionHandler(handler => handler.Run(context => context.Response.WriteAsync("handled"))));
        using var failed = await api.SendAsync();
        using var retry = await api.SendAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        Assert.Equal("x", await retry.TextAsync());
    }

    [Fact]
    public async Task A_release_that_fails_does_not_hide_the_exception_and_is_tried_again()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs == 1 ? throw new InvalidTimeZoneException("mine") : "fine").WithIdempotency());
        var fail = true;
        api.Store.Before = operation => operation == "release" && fail ? throw new IOException("away") : Task.CompletedTask;
        var failure = await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync());
        Assert.Equal("mine", failure.Message);
        using var stillClaimed = await api.SendAsync();
        await stillClaimed.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        fail = false;
        await Eventually.TrueAsync(
            () =>
            {
                api.Time.Advance(TimeSpan.FromMilliseconds(50));
                return api.Store.Inner.Count == 0;
            },
            "the release");
        using var retry = await api.SendAsync();
        Assert.Equal("fine", await retry.TextAsync());
    }

    [Fact]
    public async Task An_error_page_that_takes_part_is_no_request_of_its_own()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/a", () => Results.NotFound()).WithIdempotency();
                app.MapPost("/b", () => Results.NotFound());
                app.MapPost("/throws", string () => throw new InvalidTimeZoneException());
                app.Map("/status/{code}", (HttpContext context, int code) => $"page {code} for {context.Features.Get<IStatusCodeReExecuteFeature>()?.OriginalPath}").WithIdempotency();
                app.Map("/error", () => "error page").WithIdempotency();
            },
            outer: app => app.UseExceptionHandler("/error").UseStatusCodePagesWithReExecute("/status/{0}").UseRouting());
        foreach (var (path, key, status, text) in new[]
        {
            ("/a", "key-1", 404, "page 404 for /a"), ("/b", "key-1", 404, "page 404 for /b"), ("/a", "key-1", 404, "page 404 for /a"),
            ("/b", null, 404, "page 404 for /b"), ("/throws", null, 500, "error page"),
        })
        {
            using var response = await api.SendAsync(path, key: key);
            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal(text, await response.TextAsync());
        }
    }

    [Fact]
    public async Task A_handler_that_aborts_the_connection_frees_the_key()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) =>
            {
                if (++runs == 1)
                {
                    context.Abort();
                    Assert.True(context.RequestAborted.IsCancellationRequested);
                }

                return "x";
            }).WithIdempotency(),
            kestrel: true);
        await Assert.ThrowsAsync<HttpRequestException>(() => api.SendAsync());
        await Eventually.TrueAsync(() => api.Store.Inner.Count == 0, "the release");
        using var retry = await api.SendAsync();
        Assert.Equal("x", await retry.TextAsync());
    }

    [Fact]
    public async Task A_store_that_cannot_be_asked_is_503_and_nothing_runs()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency());
        api.Store.Before = _ => throw new IOException("away");
        using var refused = await api.SendAsync();
        await refused.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        Assert.Equal("5", refused.Header("Retry-After"));
        Assert.Equal(0, runs);
        api.Store.Before = null;
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_given_up()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency());
        var never = new TaskCompletionSource();
        api.Store.Before = _ => never.Task;
        var hanging = api.SendAsync();
        await Eventually.TrueAsync(() => api.Store.AllCalls == 1, "the claim");
        await api.Time.PassUntilDoneAsync(hanging, "giving up");
        using var refused = await hanging;
        await refused.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        never.SetResult();
    }

    [Fact]
    public async Task With_Execute_the_handler_runs_unprotected_and_says_so()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(new IdempotencyPolicy { WhenStoreUnavailable = StoreUnavailableBehavior.Execute }));
        api.Store.Before = _ => throw new IOException("away");
        using var first = await api.SendAsync();
        using var second = await api.SendAsync();
        Assert.Equal(2, runs);
        Assert.Equal("false", second.Header("Idempotency-Stored"));
        Assert.Equal(2, api.Logs.Count("RunsUnprotected"));
    }

    [Fact]
    public async Task A_claim_whose_reply_was_lost_is_released_so_that_a_retry_runs()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse }));
        api.Store.After = operation => { if (operation == "claim") { throw new IOException("connection lost"); } };
        using var refused = await api.SendAsync();
        await refused.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        await Eventually.TrueAsync(() => api.Store.Inner.Count == 0, "the release");
        api.Store.After = null;
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
    }

    [Fact]
    public async Task A_claim_the_store_gave_up_after_the_client_had_left_is_released_too()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse }), outer: app => app.Use((context, next) =>
        {
            context.RequestAborted = new CancellationToken(canceled: true);
            return next(context);
        }));
        api.Store.After = operation => { if (operation == "claim") { throw new TaskCanceledException("the client library's own time limit"); } };
        using var refused = await api.SendAsync(json: null);
        await refused.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        await Eventually.TrueAsync(() => api.Store.Inner.Count == 0, "the release");
    }

    [Fact]
    public async Task A_claim_that_is_given_up_and_taken_all_the_same_is_released_when_that_turns_out()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse }));
        var slow = new TaskCompletionSource();
        api.Store.Before = operation => operation == "claim" ? slow.Task : Task.CompletedTask;
        var first = api.SendAsync();
        await Eventually.TrueAsync(() => api.Store.Calls("claim") == 1, "the claim");
        await api.Time.PassUntilDoneAsync(first, "giving up");
        using var refused = await first;
        await refused.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        await Eventually.TrueAsync(() => api.Store.Calls("release") == 1, "the first release, which finds nothing");
        api.Store.Before = null;
        slow.SetResult();
        await Eventually.TrueAsync(() => api.Store.Calls("release") == 2 && api.Store.Inner.Count == 0, "the release of what was taken");
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
    }

    [Fact]
    public async Task A_response_that_had_started_before_is_an_error_and_nothing_runs()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => ++runs).WithIdempotency(),
            outer: app => app.Use(async (context, next) => { await context.Response.StartAsync(); await next(context); }));
        await Assert.ThrowsAnyAsync<Exception>(async () => await (await api.SendAsync()).BytesAsync());
        Assert.Equal(0, runs);
        Assert.Equal(0, api.Store.AllCalls);
    }

    [Fact]
    public async Task A_policy_that_cannot_judge_an_answer_does_not_free_the_key()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(new IdempotencyPolicy { ShouldStore = _ => throw new InvalidTimeZoneException() }));
        using var first = await api.SendAsync();
        using var retry = await api.SendAsync();
        Assert.Equal("1", await first.TextAsync());
        Assert.True(retry.IsReplay());
        Assert.Equal(1, api.Logs.Count("ShouldStoreFailed"));
    }

    [Fact]
    public async Task A_handler_that_resets_its_HTTP2_stream_frees_the_key()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) =>
            {
                if (++runs == 1)
                {
                    context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpResetFeature>()!.Reset(2);
                }

                return "x";
            }).WithIdempotency(),
            kestrel: true,
            host: DisconnectTests.Http2);
        await Assert.ThrowsAsync<HttpRequestException>(() => api.Client.SendAsync(DisconnectTests.AsHttp2(Api.Request())));
        await Eventually.TrueAsync(() => api.Store.Inner.Count == 0, "the release");
        using var retry = await api.Client.SendAsync(DisconnectTests.AsHttp2(Api.Request()));
        Assert.Equal("x", await retry.TextAsync());
    }

    [Fact]
    public async Task A_completion_that_fails_is_tried_again_before_the_answer_is_told()
    {
        var failures = 3;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency());
        api.Store.Before = operation => operation == "complete" && failures-- > 0 ? throw new IOException("away") : Task.CompletedTask;
        var first = api.SendAsync();
        await api.Time.PassUntilDoneAsync(first, "the answer", TimeSpan.FromMilliseconds(50));
        using var answer = await first;
        Assert.Null(answer.Header("Idempotency-Stored"));
        using var retry = await api.SendAsync();
        Assert.True(retry.IsReplay());
    }

    [Fact]
    public async Task A_completion_whose_reply_was_lost_counts()
    {
        var lose = true;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency());
        api.Store.After = operation =>
        {
            if (operation == "complete" && lose)
            {
                lose = false;
                throw new IOException("connection lost");
            }
        };
        using var answer = await api.SendAsync();
        Assert.Equal("x", await answer.TextAsync());
        Assert.Null(answer.Header("Idempotency-Stored"));
        using var retry = await api.SendAsync();
        Assert.True(retry.IsReplay());
    }

    [Theory]
    [InlineData(60, 50)]
    [InlineData(3, 8)]
    public async Task A_completion_is_tried_again_until_the_lease_ends_and_for_at_least_ten_seconds(int lease, int away)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(new IdempotencyPolicy { ClaimDuration = TimeSpan.FromSeconds(lease) }));
        var end = api.Time.GetUtcNow().AddSeconds(away);
        api.Store.Before = operation => operation == "complete" && api.Time.GetUtcNow() < end ? throw new IOException("away") : Task.CompletedTask;
        var sending = api.SendAsync();
        await api.Time.PassUntilDoneAsync(sending, "the response", TimeSpan.FromSeconds(0.5));
        using var response = await sending;
        Assert.Null(response.Header("Idempotency-Stored"));
        using var retry = await api.SendAsync();
        Assert.True(retry.IsReplay());
    }

    [Fact]
    public async Task An_answer_that_cannot_be_recorded_is_told_and_marked_and_kept_here_while_the_claim_lasts()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency());
        api.Store.Before = operation => operation == "complete" ? throw new IOException("away") : Task.CompletedTask;
        var first = api.SendAsync();
        await api.Time.PassUntilAsync(() => api.Logs.Count("ResponseNotRecorded") > 0, "giving up");
        using var answer = await first;
        Assert.Equal("1", await answer.TextAsync());
        Assert.Equal("false", answer.Header("Idempotency-Stored"));
        Assert.Equal(LogLevel.Critical, Assert.Single(api.Logs.Entries, entry => entry.Event == "ResponseNotRecorded").Level);

        using var retry = await api.SendAsync();
        Assert.True(retry.IsReplay());
        Assert.Equal("1", await retry.TextAsync());
        Assert.Equal("false", retry.Header("Idempotency-Stored"));

        api.Store.Before = null;
        api.Time.Advance(TimeSpan.FromSeconds(61));
        using var afterTheLease = await api.SendAsync();
        Assert.Equal("2", await afterTheLease.TextAsync());
    }

    [Fact]
    public async Task A_record_that_makes_no_sense_is_503_and_never_run_even_with_Execute()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(new IdempotencyPolicy { WhenStoreUnavailable = StoreUnavailableBehavior.Execute }), options => options.LocalCacheMaxEntries = 0);
        using var first = await api.SendAsync();
        var key = api.Store.LastKey;
        var record = (await api.Store.Inner.ReadAsync(key, default))!;
        var newer = record.Payload.ToArray();
        newer[0] = 2;
        foreach (var payload in new[] { newer, [], [1], [.. record.Payload.ToArray()[..^1]], new byte[1000] })
        {
            await api.Store.Inner.DeleteAsync(key, default);
            await api.Store.Inner.ClaimAsync(key, new IdempotencyClaim { Owner = record.Owner, Attempt = 1, Fingerprint = record.Fingerprint, Lease = TimeSpan.FromMinutes(1), Retention = TimeSpan.FromHours(1) }, default);
            await api.Store.Inner.CompleteAsync(key, record.Owner, payload, TimeSpan.FromHours(1), default);
            using var refused = await api.SendAsync();
            await refused.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        }

        Assert.Equal(1, runs);
        Assert.Equal(5, api.Logs.Count("RecordUnreadable"));
        api.Store.Before = _ => throw new IdempotencyRecordUnreadableException("gibberish");
        using var unreadable = await api.SendAsync();
        await unreadable.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task A_store_that_is_full_refuses_and_keeps_what_it_has()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => "x").WithIdempotency(new IdempotencyPolicy { Retention = TimeSpan.FromMinutes(10) }),
            services: services => services.Configure<InMemoryIdempotencyStoreOptions>(options => options.MaxRecords = 2));
        using var one = await api.SendAsync(key: "1");
        using var two = await api.SendAsync(key: "2");
        using var three = await api.SendAsync(key: "3");
        await three.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        using var oneAgain = await api.SendAsync(key: "1");
        Assert.True(oneAgain.IsReplay());
        api.Time.Advance(TimeSpan.FromMinutes(10));
        using var threeAgain = await api.SendAsync(key: "3");
        Assert.Equal(HttpStatusCode.OK, threeAgain.StatusCode);
        Assert.False(threeAgain.IsReplay());
    }

    [Fact]
    public async Task The_record_lasts_exactly_its_retention_counted_from_completion()
    {
        var runs = 0;
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () => { if (++runs == 1) { await gate.PassAsync(); } return runs; }).WithIdempotency(new IdempotencyPolicy { Retention = TimeSpan.FromMinutes(10) }));
        var running = api.SendAsync();
        await gate.ArrivedAsync();
        for (var i = 0; i < 90; i++)
        {
            api.Time.Advance(TimeSpan.FromSeconds(20));
            await Eventually.TrueAsync(() => api.Store.Calls("renew") == i + 1, "renewal");
        }

        gate.Open();
        using var first = await running;
        api.Time.Advance(TimeSpan.FromMinutes(10) - TimeSpan.FromTicks(1));
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        api.Time.Advance(TimeSpan.FromTicks(1));
        using var again = await api.SendAsync();
        Assert.False(again.IsReplay());
        Assert.Equal(2, runs);
    }
}
