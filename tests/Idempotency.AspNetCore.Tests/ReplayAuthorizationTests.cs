using System.Net;
using Microsoft.AspNetCore.Diagnostics;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Whether a caller may have a recorded response.</summary>
public sealed class ReplayAuthorizationTests
{
    private int _runs;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_replay_that_is_not_authorized_tells_nothing_of_the_record(bool isBodyKept)
    {
        var isAuthorized = true;
        var body = "";
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) =>
        {
            context.Response.Headers["X-Secret"] = "secret";
            return Results.Text($"secret {++_runs}", statusCode: 201);
        }).WithIdempotency(new IdempotencyPolicy
        {
            MaxResponseBodySize = isBodyKept ? 100 : 1,
            AuthorizeReplay = async context =>
            {
                await Task.Yield();
                body = await new StreamReader(context.Request.Body).ReadToEndAsync();
                return isAuthorized;
            },
        }));
        using var first = await api.SendAsync(json: """{"a":1}""");
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        Assert.Equal("", body); // asked for replays alone

        isAuthorized = false;
        foreach (var json in new[] { """{"a":1}""", """{"a":1}""", """{ "a":1}""" })
        {
            using var refused = await api.SendAsync(json: json);
            await refused.AssertProblemAsync(403, "idempotency-replay-forbidden", "no");
            Assert.Null(refused.Header("X-Secret"));
            Assert.Null(refused.Headers.ETag);
            Assert.DoesNotContain("secret", await refused.TextAsync(), StringComparison.Ordinal);
            Assert.Equal(json, body);
        }

        isAuthorized = true;
        using var again = await api.SendAsync(json: """{"a":1}""");
        Assert.Equal(isBodyKept ? HttpStatusCode.Created : HttpStatusCode.Conflict, again.StatusCode);
        Assert.Equal(1, _runs);
    }

    [Fact]
    public async Task A_matching_If_None_Match_does_not_go_past_it()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(new IdempotencyPolicy { AuthorizeReplay = _ => ValueTask.FromResult(false) }));
        using var first = await api.SendAsync();
        using var refused = await api.SendAsync(with: request => request.Headers.IfNoneMatch.Add(first.Headers.ETag!));
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
    }

    [Fact]
    public async Task What_it_throws_is_the_applications_own_exception()
    {
        Exception? seen = null;
        var thrown = new InvalidTimeZoneException("mine");
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => "x").WithIdempotency(new IdempotencyPolicy { AuthorizeReplay = _ => throw thrown }),
            outer: app => app.UseExceptionHandler(handler => handler.Run(context => { seen = context.Features.Get<IExceptionHandlerFeature>()?.Error; return Task.CompletedTask; })));
        using var first = await api.SendAsync();
        using var failed = await api.SendAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        Assert.Same(thrown, seen);
        Assert.False(failed.IsReplay());
    }

    [Fact]
    public async Task A_duplicate_that_waited_is_asked_too()
    {
        var gate = new TaskCompletionSource();
        var started = new TaskCompletionSource();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () => { _runs++; started.SetResult(); await gate.Task; return "x"; }).WithIdempotency(new IdempotencyPolicy
        {
            WhenInProgress = InProgressBehavior.Wait,
            AuthorizeReplay = _ => ValueTask.FromResult(false),
        }));
        var first = api.SendAsync();
        await started.Task;
        var second = api.SendAsync();
        gate.SetResult();
        using var answer = await first;
        using var refused = await second;
        Assert.Equal("x", await answer.TextAsync());
        await refused.AssertProblemAsync(403, "idempotency-replay-forbidden", "no");
    }

    [Fact]
    public async Task Checks_behind_the_middleware_run_with_the_handler_and_those_before_it_for_every_request()
    {
        var before = 0;
        var behind = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => ++_runs).AddEndpointFilter((context, next) => { behind++; return next(context); }).WithIdempotency(),
            outer: app => app.Use((context, next) => { before++; return next(context); }));
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal((2, 1, 1), (before, behind, _runs));
    }
}
