using System.Net;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Many at once: one run, and everybody else is told what the policy says.</summary>
public sealed class ConcurrencyTests
{
    private static readonly IdempotencyPolicy Wait = new() { WhenInProgress = InProgressBehavior.Wait };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_a_hundred_identical_requests_one_runs_and_the_others_are_told_it_is_running(bool kestrel)
    {
        var runs = 0;
        var gate = new Gate();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async () => { Interlocked.Increment(ref runs); await gate.PassAsync(); return new { done = true }; }).WithIdempotency(),
            kestrel: kestrel);
        var all = Enumerable.Range(0, 100).Select(_ => api.SendAsync()).ToList();
        await gate.ArrivedAsync();
        await Eventually.TrueAsync(() => all.Count(task => task.IsCompleted) == 99, "99 refusals");
        gate.Open();
        var responses = await Task.WhenAll(all);
        Assert.Equal(1, runs);
        Assert.Single(responses, response => response.StatusCode == HttpStatusCode.OK && !response.IsReplay());
        var refused = responses.Where(response => response.StatusCode == HttpStatusCode.Conflict).ToList();
        Assert.Equal(99, refused.Count);
        foreach (var response in refused)
        {
            await response.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
            Assert.Equal("1", response.Header("Retry-After"));
        }

        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
    }

    [Fact]
    public async Task Of_a_hundred_that_wait_one_runs_and_all_get_its_answer_at_once()
    {
        var runs = 0;
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () => { Interlocked.Increment(ref runs); await gate.PassAsync(); return new { done = true }; }).WithIdempotency(Wait));
        var all = Enumerable.Range(0, 100).Select(_ => api.SendAsync()).ToList();
        await gate.ArrivedAsync();
        await Eventually.TrueAsync(() => api.Store.Calls("claim") >= 199, "everybody has looked twice and waits");
        Assert.DoesNotContain(all, task => task.IsCompleted);

        // Time stands still: only a signal can wake them, no poll can.
        gate.Open();
        var responses = await Task.WhenAll(all);
        Assert.Equal(1, runs);
        Assert.All(responses, response => Assert.Equal(HttpStatusCode.OK, response.StatusCode));
        Assert.Equal(99, responses.Count(response => response.IsReplay()));
    }

    [Fact]
    public async Task When_the_first_attempt_fails_exactly_one_of_those_waiting_takes_over()
    {
        var runs = 0;
        var running = 0;
        var gates = new[] { new Gate(), new Gate(), new Gate() };
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () =>
        {
            Assert.Equal(1, Interlocked.Increment(ref running));
            var run = Interlocked.Increment(ref runs);
            await gates[run - 1].PassAsync();
            Interlocked.Decrement(ref running);
            return run < 3 ? Results.StatusCode(500) : Results.Ok(run);
        }).WithIdempotency(Wait));
        var all = Enumerable.Range(0, 20).Select(_ => api.SendAsync()).ToList();
        for (var run = 0; run < 3; run++)
        {
            await gates[run].ArrivedAsync();
            Assert.Equal(run + 1, runs);
            gates[run].Open();
        }

        var responses = await Task.WhenAll(all);
        Assert.Equal(3, runs);
        Assert.Equal(2, responses.Count(response => response.StatusCode == HttpStatusCode.InternalServerError));
        Assert.Equal(18, responses.Count(response => response.StatusCode == HttpStatusCode.OK));
        Assert.Equal(17, responses.Count(response => response.IsReplay()));
    }

    [Fact]
    public async Task A_wait_ends_with_a_refusal_when_its_time_is_over()
    {
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () => { await gate.PassAsync(); }).WithIdempotency(Wait with { WaitTimeout = TimeSpan.FromSeconds(5) }));
        var first = api.SendAsync();
        await gate.ArrivedAsync();
        var second = api.SendAsync();
        await api.Time.PassUntilDoneAsync(second, "the wait is over", TimeSpan.FromMilliseconds(500));
        using var refused = await second;
        await refused.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        gate.Open();
        using var _ = await first;
    }

    [Fact]
    public async Task A_wait_for_another_server_looks_again_by_itself()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "mine").WithIdempotency(Wait));
        using (var learn = await api.SendAsync("/", key: "key-1"))
        {
            Assert.Equal(HttpStatusCode.OK, learn.StatusCode);
        }

        // Another server's claim under the same key: this process holds nothing it could be called for.
        var key = api.Store.LastKey;
        var record = await api.Store.Inner.ReadAsync(key, default);
        await api.Store.Inner.DeleteAsync(key, default);
        api.CompletedRecords.Set(key, new CompletedRecord(default, default, 0));
        var owner = Guid.NewGuid();
        await api.Store.Inner.ClaimAsync(key, new IdempotencyClaim { Owner = owner, Fingerprint = record!.Fingerprint, Attempt = 1, Lease = TimeSpan.FromSeconds(60), Retention = TimeSpan.FromHours(1) }, default);
        var waiting = api.SendAsync();
        await Eventually.TrueAsync(() => api.Store.Calls("claim") >= 3, "it waits");
        Assert.False(waiting.IsCompleted);
        await api.Store.Inner.CompleteAsync(key, owner, record.Payload, TimeSpan.FromHours(1), default);
        await api.Time.PassUntilDoneAsync(waiting, "it looked again", TimeSpan.FromMilliseconds(100));
        using var response = await waiting;
        Assert.True(response.IsReplay());
    }

    [Fact]
    public async Task A_waiting_client_that_leaves_takes_nothing_with_it()
    {
        var runs = 0;
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () => { runs++; await gate.PassAsync(); return "x"; }).WithIdempotency(Wait), kestrel: true);
        var first = api.SendAsync();
        await gate.ArrivedAsync();
        using var leaving = new CancellationTokenSource();
        var waiting = api.Client.SendAsync(Api.Request(), leaving.Token);
        await Eventually.TrueAsync(() => api.Store.Calls("claim") >= 3, "it waits");
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        gate.Open();
        using var answer = await first;
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal(1, runs);
        Assert.Equal(0, api.Store.Calls("release"));
    }

    [Fact]
    public async Task A_request_timeout_ends_a_wait_as_it_ends_a_handler()
    {
        var gate = new Gate();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async () => { await gate.PassAsync(); return "x"; }).WithIdempotency(Wait),
            services: services => services.AddRequestTimeouts(options => options.DefaultPolicy = new() { Timeout = TimeSpan.FromMilliseconds(200) }),
            outer: app => app.UseWhen(context => context.Request.Headers.ContainsKey("X-Impatient"), app => app.UseRequestTimeouts()));
        var first = api.SendAsync();
        await gate.ArrivedAsync();
        using var second = await api.SendAsync(with: request => request.Headers.Add("X-Impatient", "yes"));
        Assert.Equal(HttpStatusCode.GatewayTimeout, second.StatusCode);
        gate.Open();
        using var answer = await first;
        Assert.Equal("x", await answer.TextAsync());
    }

    [Theory]
    [InlineData(InProgressBehavior.Reject)]
    [InlineData(InProgressBehavior.Wait)]
    public async Task Another_request_under_a_running_key_is_refused_as_reused_and_touches_nothing(InProgressBehavior behavior)
    {
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () => { await gate.PassAsync(); return "x"; }).WithIdempotency(Wait with { WhenInProgress = behavior }));
        var first = api.SendAsync(json: "{\"a\":1}");
        await gate.ArrivedAsync();
        var before = await api.Store.Inner.ReadAsync(api.Store.LastKey, default);
        using var reused = await api.SendAsync(json: "{\"a\":2}");
        await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        Assert.Equal(before, await api.Store.Inner.ReadAsync(api.Store.LastKey, default));
        gate.Open();
        using var answer = await first;
        using var reusedStill = await api.SendAsync(json: "{\"a\":2}");
        await reusedStill.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public async Task Registered_twice_it_still_runs_once()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(), outer: app => app.UseIdempotency());
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.Equal("1", await first.TextAsync());
        Assert.True(replay.IsReplay());
    }
}
