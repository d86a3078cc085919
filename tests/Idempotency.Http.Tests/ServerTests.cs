using System.Net.Http.Json;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Idempotency.Http.Tests;

/// <summary>Both halves together: this client, a real connection, and a real server with <c>UseIdempotency()</c>.</summary>
public sealed class ServerTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private static StringContent Payment => new("""{"amount":42.50}""", System.Text.Encoding.UTF8, "application/json");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task When_the_connection_is_cut_after_the_effect_the_retry_gets_the_answer_and_the_effect_happened_once(bool halfway)
    {
        var effects = 0;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => new { id = ++effects, receipt = new string('x', 30_000) }).WithIdempotency());
        using var proxy = new TcpProxy(new Uri(server.Address).Port, counted: "POST ");
        await using var services = Client($"http://127.0.0.1:{proxy.Port}", new() { BaseDelay = TimeSpan.Zero });
        proxy.CutReplies(1, halfway);
        using var response = await services.GetRequiredService<HttpClient>().PostAsync("payments", Payment);
        var payment = await response.Content.ReadFromJsonAsync<Paid>();
        Assert.Equal(1, payment!.Id);
        Assert.Equal(30_000, payment.Receipt.Length);
        Assert.Equal(1, effects);
        Assert.Equal(2, proxy.Requests);
        Assert.True((await response.ReadIdempotencyResultAsync()).WasReplayed);
    }

    [Fact]
    public async Task While_the_first_is_still_running_a_duplicate_waits_and_gets_its_answer()
    {
        var effects = 0;
        var gate = new Gate();
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", async () =>
        {
            effects++;
            await gate.PassAsync();
            return "paid";
        }).WithIdempotency());
        var time = new FakeTime();
        await using var services = Client(server.Address, Unlimited(), time);
        var client = services.GetRequiredService<HttpClient>();
        var first = client.SendAsync(Request("order-7"));
        await gate.ArrivedAsync();
        var duplicate = client.SendAsync(Request("order-7"));
        await Eventually.TrueAsync(
            () =>
            {
                time.Advance(Second);
                return server.Count(409) >= 3;
            },
            "the duplicate is refused again and again");
        gate.Open();
        using var answer = await first;
        await EndAsync(duplicate, time);
        using var replay = await duplicate;
        Assert.Equal("paid", await replay.Content.ReadAsStringAsync());
        Assert.Equal(1, effects);
        Assert.False((await answer.ReadIdempotencyResultAsync()).WasReplayed);
        Assert.True((await replay.ReadIdempotencyResultAsync()).WasReplayed);
        Assert.Equal("order-7", (await replay.ReadIdempotencyResultAsync()).Key);
    }

    [Fact]
    public async Task When_an_attempt_takes_too_long_the_next_one_gets_the_answer_of_the_first()
    {
        var effects = 0;
        var gate = new Gate();
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", async () =>
        {
            effects++;
            await gate.PassAsync();
            return "paid";
        }).WithIdempotency());
        var time = new FakeTime();
        var retry = Unlimited();
        retry.AttemptTimeout = 30 * Second;
        await using var services = Client(server.Address, retry, time);
        var sending = services.GetRequiredService<HttpClient>().PostAsync("payments", Payment);
        await gate.ArrivedAsync();
        time.Advance(30 * Second);
        await Eventually.TrueAsync(() => server.Count(409) == 1, "the second attempt finds the first one running");
        gate.Open();
        await Eventually.TrueAsync(() => server.Count(200) == 1, "the first attempt's answer is there, though nobody waits for it any more");
        await EndAsync(sending, time);
        using var response = await sending;
        Assert.True((await response.ReadIdempotencyResultAsync()).WasReplayed);
        Assert.Equal(1, effects);
    }

    [Fact]
    public async Task Many_at_once_with_one_key_all_get_the_one_answer()
    {
        var effects = 0;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", async () =>
        {
            await Task.Yield();
            return Interlocked.Increment(ref effects);
        }).WithIdempotency());
        var time = new FakeTime();
        await using var services = Client(server.Address, Unlimited(), time);
        var client = services.GetRequiredService<HttpClient>();
        var all = Task.WhenAll(Enumerable.Range(0, 20).Select(_ => client.SendAsync(Request("order-7"))));
        await EndAsync(all, time);
        foreach (var response in await all)
        {
            Assert.Equal("1", await response.Content.ReadAsStringAsync());
            response.Dispose();
        }
    }

    [Fact]
    public async Task A_failure_of_the_handler_is_retried_and_runs_again()
    {
        var runs = 0;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => ++runs == 1 ? Results.StatusCode(500) : Results.Ok(runs)).WithIdempotency());
        await using var services = Client(server.Address, new() { BaseDelay = TimeSpan.Zero });
        using var response = await services.GetRequiredService<HttpClient>().PostAsync("payments", Payment);
        Assert.Equal("2", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_failure_that_the_policy_records_is_not_asked_for_forever()
    {
        var runs = 0;
        var policy = new IdempotencyPolicy { ShouldStore = _ => true };
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => { runs++; return Results.StatusCode(500); }).WithIdempotency(policy));
        await using var services = Client(server.Address, new() { BaseDelay = TimeSpan.Zero });
        using var response = await services.GetRequiredService<HttpClient>().PostAsync("payments", Payment);
        Assert.Equal(2, server.Count(500)); // the first, and the replay that says that there will never be another
        Assert.Equal(1, runs);
        Assert.Equal(IdempotencyRetryAdvice.No, (await response.ReadIdempotencyResultAsync()).Advice);
    }

    [Fact]
    public async Task Another_request_under_the_same_key_is_refused_and_not_retried()
    {
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => "paid").WithIdempotency());
        await using var services = Client(server.Address, new() { BaseDelay = TimeSpan.Zero });
        var client = services.GetRequiredService<HttpClient>();
        using var first = await client.SendAsync(Request("order-7"));
        using var other = await client.SendAsync(Request("order-7", """{"amount":43.50}"""));
        var result = await other.ReadIdempotencyResultAsync();
        Assert.Equal(IdempotencyProblemCodes.KeyReused, result.ProblemCode);
        Assert.Equal(IdempotencyRetryAdvice.NewKey, result.Advice);
        Assert.Equal(1, server.Count(422));
    }

    [Theory]
    [InlineData("8e03978e-40d5-43dd-bc93-6894a57f9324")]
    [InlineData("an order's key: 7 / \u007e")]
    public async Task Bare_and_quoted_are_the_same_key_to_the_server(string key)
    {
        var effects = 0;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => ++effects).WithIdempotency());
        foreach (var format in Enum.GetValues<IdempotencyKeyFormat>())
        {
            await using var services = Client(server.Address, null, format: format);
            using var response = await services.GetRequiredService<HttpClient>().SendAsync(Request(key));
            Assert.Equal("1", await response.Content.ReadAsStringAsync());
        }
    }

    [Theory]
    [InlineData("\"")]
    [InlineData("\\")]
    [InlineData("\\\"; a=1, b")]
    public async Task The_server_reads_every_quoted_key(string key)
    {
        string? seen = null;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", (HttpContext context) => { seen = context.Features.Get<IIdempotencyFeature>()!.Key; }).WithIdempotency());
        await using var services = Client(server.Address, null, format: IdempotencyKeyFormat.Quoted);
        using var response = await services.GetRequiredService<HttpClient>().SendAsync(Request(key));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(key, seen);
    }

    [Theory]
    [InlineData(303)]
    [InlineData(307)]
    public async Task A_retry_after_a_redirect_begins_with_the_first_address_and_everything_it_had(int redirect)
    {
        var first = new List<string?>();
        var asked = 0;
        await using var server = await Server.StartAsync(app =>
        {
            app.MapPost("/payments", (HttpContext context) =>
            {
                first.Add(context.Request.Headers.Authorization);
                context.Response.StatusCode = redirect;
                context.Response.Headers.Location = "/elsewhere";
            });
            app.Map("/elsewhere", () => ++asked == 1 ? Results.StatusCode(503) : Results.Ok());
        });
        await using var services = Client(server.Address, new() { BaseDelay = TimeSpan.Zero });
        using var request = Request("order-7");
        request.Headers.Add("Authorization", "Bearer token");
        using var response = await services.GetRequiredService<HttpClient>().SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(["Bearer token", "Bearer token"], first);
    }

    [Fact]
    public async Task The_limit_of_an_attempt_ends_with_its_answer_and_cuts_no_stream()
    {
        var gate = new Gate();
        await using var server = await Server.StartAsync(app => app.MapPost("/events", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: 1\n\n");
            await context.Response.Body.FlushAsync();
            await gate.PassAsync();
            await context.Response.WriteAsync("data: 2\n\n");
        }));
        var time = new FakeTime();
        await using var services = Client(server.Address, new() { AttemptTimeout = Second }, time);
        using var request = new HttpRequestMessage(HttpMethod.Post, "events");
        using var response = await services.GetRequiredService<HttpClient>().SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        time.Advance(60 * Second);
        gate.Open();
        Assert.Equal("data: 1\n\ndata: 2\n\n", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task When_nobody_listens_the_last_error_is_the_connections()
    {
        var port = FreePort.Next();
        await using var services = Client($"http://127.0.0.1:{port}", new() { BaseDelay = TimeSpan.Zero, MaxAttempts = 3 });
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => services.GetRequiredService<HttpClient>().PostAsync("payments", Payment));
        Assert.Equal(HttpRequestError.ConnectionError, error.HttpRequestError);
    }

    /// <summary>No limits: then nothing but the waits between attempts hangs on the clock that the test moves.</summary>
    private static IdempotencyRetryOptions Unlimited() => new() { BaseDelay = TimeSpan.Zero, MaxAttempts = 100, AttemptTimeout = Timeout.InfiniteTimeSpan, MaxDuration = Timeout.InfiniteTimeSpan };

    private static ServiceProvider Client(string address, IdempotencyRetryOptions? retry, TimeProvider? time = null, IdempotencyKeyFormat format = IdempotencyKeyFormat.Bare)
    {
        var services = new ServiceCollection();
        services.AddSingleton(time ?? TimeProvider.System);
        services.AddHttpClient("payments", client => client.BaseAddress = new Uri(address + "/")).AddIdempotencyKeys(options => (options.Retry, options.Format) = (retry, format));
        services.AddTransient(provider => provider.GetRequiredService<IHttpClientFactory>().CreateClient("payments"));
        return services.BuildServiceProvider();
    }

    private static HttpRequestMessage Request(string key, string json = """{"amount":42.50}""")
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "payments") { Content = new StringContent(json, System.Text.Encoding.UTF8, "application/json") };
        request.SetIdempotencyKey(key);
        return request;
    }

    private static Task EndAsync(Task sending, FakeTime time) => Eventually.TrueAsync(
        () =>
        {
            time.Advance(Second);
            return sending.IsCompleted;
        },
        "the request has its answer");

    private sealed record Paid(int Id, string Receipt);
}
