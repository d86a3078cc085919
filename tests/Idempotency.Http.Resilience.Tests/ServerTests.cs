using System.Net.Http.Json;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Http.Resilience;
using Refit;

namespace Idempotency.Http.Tests;

/// <summary>Both halves together: this client, a real connection, and a real server with <c>UseIdempotency()</c>.</summary>
public sealed class ServerTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    public static TheoryData<string> Arrangements => [.. All.Keys];

    private static Dictionary<string, Action<IHttpClientBuilder>> All => new()
    {
        ["keys outside"] = builder => builder.AddIdempotencyKeys().AddIdempotentResilienceHandler(options => options.AttemptTimeout.Timeout = 4 * Second),
        ["keys inside"] = builder =>
        {
            builder.AddIdempotentResilienceHandler(options => options.AttemptTimeout.Timeout = 4 * Second);
            builder.AddIdempotencyKeys();
        },
        ["hedging, keys outside"] = builder => builder.AddIdempotencyKeys().AddIdempotentHedgingHandler().Configure(options => options.Endpoint.Timeout.Timeout = 4 * Second),
        ["hedging, keys inside"] = builder =>
        {
            builder.AddIdempotentHedgingHandler().Configure(options => options.Endpoint.Timeout.Timeout = 4 * Second);
            builder.AddIdempotencyKeys();
        },
    };

    [Theory]
    [MemberData(nameof(Arrangements))]
    public async Task A_handler_that_takes_longer_than_an_attempt_runs_once_and_its_response_arrives(string arrangement)
    {
        var effects = 0;
        var gate = new Gate();
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", async () =>
        {
            effects++;
            await gate.PassAsync();
            return "paid";
        }).WithIdempotency());
        using var clients = Clients.Of(server.Address, All[arrangement]);
        using var request = Payment();
        var sending = clients.Client.SendAsync(request);
        await gate.ArrivedAsync();
        clients.Time.Advance(2 * Second); // the hedging delay
        clients.Time.Advance(2 * Second); // the timeout of the first attempt
        await clients.UntilAsync(() => server.Count(409) >= 3, "later attempts find the first one running");
        gate.Open();
        await Eventually.TrueAsync(() => server.Count(200) >= 1, "the first attempt's response is there, though nobody waits for it any more");
        using var response = await clients.EndAsync(sending);
        Assert.Equal("paid", await response.Content.ReadAsStringAsync());
        Assert.Equal(1, effects);
    }

    [Theory]
    [MemberData(nameof(Arrangements))]
    public async Task While_an_earlier_request_is_still_running_a_later_one_with_its_key_waits_and_gets_its_response(string arrangement)
    {
        var effects = 0;
        var gate = new Gate();
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", async () =>
        {
            effects++;
            await gate.PassAsync();
            return "paid";
        }).WithIdempotency());
        using var earlier = new HttpClient();
        earlier.DefaultRequestHeaders.Add("Idempotency-Key", "order-7");
        var first = earlier.PostAsync(server.Address + "/payments", Payment().Content);
        await gate.ArrivedAsync();
        using var clients = Clients.Of(server.Address, All[arrangement]);
        using var request = Payment("order-7");
        var later = clients.Client.SendAsync(request);
        await clients.UntilAsync(() => server.Count(409) >= 3, "the later request finds the first one running");
        gate.Open();
        using var answer = await first;
        using var replay = await clients.EndAsync(later);
        Assert.True((await replay.ReadIdempotencyResultAsync()).WasReplayed);
        Assert.Equal("paid", await replay.Content.ReadAsStringAsync());
        Assert.Equal(1, effects);
    }

    [Fact]
    public async Task A_hedged_attempt_gets_the_response_when_the_connection_of_the_first_one_is_lost()
    {
        var effects = 0;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => ++effects).WithIdempotency());
        using var proxy = new TcpProxy(new Uri(server.Address).Port, counted: "POST ");
        using var clients = Clients.Of($"http://127.0.0.1:{proxy.Port}", builder => builder.AddIdempotentHedgingHandler());
        proxy.CutReplies(1);
        using var request = Payment();
        using var response = await clients.EndAsync(clients.Client.SendAsync(request));
        Assert.Equal("1", await response.Content.ReadAsStringAsync());
        Assert.True((await response.ReadIdempotencyResultAsync()).WasReplayed);
        Assert.Equal(2, proxy.Requests);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task When_the_connection_is_cut_after_the_effect_the_retry_gets_the_response_and_the_effect_happened_once(bool halfway)
    {
        var effects = 0;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => new { id = ++effects, receipt = new string('x', 30_000) }).WithIdempotency());
        using var proxy = new TcpProxy(new Uri(server.Address).Port, counted: "POST ");
        using var clients = Clients.Of($"http://127.0.0.1:{proxy.Port}", builder => builder.AddIdempotentResilienceHandler());
        proxy.CutReplies(1, halfway);
        using var request = Payment();
        using var response = await clients.EndAsync(clients.Client.SendAsync(request));
        var payment = await response.Content.ReadFromJsonAsync<Paid>();
        Assert.Equal((1, 30_000), (payment!.Id, payment.Receipt.Length));
        Assert.True((await response.ReadIdempotencyResultAsync()).WasReplayed);
        Assert.Equal(2, proxy.Requests);
    }

    [Fact]
    public async Task A_failure_of_the_handler_is_retried_and_runs_again()
    {
        var runs = 0;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => ++runs == 1 ? Results.StatusCode(500) : Results.Ok(runs)).WithIdempotency());
        using var clients = Clients.Of(server.Address, builder => builder.AddIdempotentResilienceHandler());
        using var request = Payment();
        using var response = await clients.EndAsync(clients.Client.SendAsync(request));
        Assert.Equal("2", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_failure_that_the_policy_records_is_not_asked_for_forever()
    {
        var runs = 0;
        var policy = new IdempotencyPolicy { ShouldStore = _ => true };
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => { runs++; return Results.StatusCode(500); }).WithIdempotency(policy));
        using var clients = Clients.Of(server.Address, builder => builder.AddIdempotentResilienceHandler());
        using var request = Payment();
        using var response = await clients.EndAsync(clients.Client.SendAsync(request));
        Assert.Equal(2, server.Count(500)); // the first, and the replay that says that there will never be another
        Assert.Equal(1, runs);
        Assert.Equal(IdempotencyRetryAdvice.No, (await response.ReadIdempotencyResultAsync()).Advice);
    }

    [Fact]
    public async Task Many_at_once_with_one_key_all_get_the_one_response()
    {
        var effects = 0;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", async () =>
        {
            await Task.Yield();
            return Interlocked.Increment(ref effects);
        }).WithIdempotency());
        using var clients = Clients.Of(server.Address, builder => builder.AddIdempotentResilienceHandler());
        var requests = Enumerable.Range(0, 20).Select(_ => Payment("order-7")).ToList();
        var all = await clients.EndAsync(Task.WhenAll(requests.Select(request => clients.Client.SendAsync(request))));
        foreach (var response in all)
        {
            Assert.Equal("1", await response.Content.ReadAsStringAsync());
            response.Dispose();
        }

        requests.ForEach(request => request.Dispose());
    }

    [Fact]
    public async Task When_nobody_listens_the_last_error_is_the_connections()
    {
        using var clients = Clients.Of($"http://127.0.0.1:{FreePort.Next()}", builder => builder.AddIdempotentResilienceHandler(options => options.Retry.Delay = TimeSpan.Zero));
        using var request = Payment();
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => clients.Client.SendAsync(request));
        Assert.Equal(HttpRequestError.ConnectionError, error.HttpRequestError);
    }

    [Fact]
    public async Task Another_request_under_the_same_key_is_rejected_and_not_retried()
    {
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => "paid").WithIdempotency());
        using var clients = Clients.Of(server.Address, builder => builder.AddIdempotentResilienceHandler());
        using var request = Payment("order-7");
        using var first = await clients.EndAsync(clients.Client.SendAsync(request));
        using var otherRequest = Payment("order-7", 43.50m);
        using var other = await clients.EndAsync(clients.Client.SendAsync(otherRequest));
        Assert.Equal(IdempotencyProblemCodes.KeyReused, (await other.ReadIdempotencyResultAsync()).ProblemCode);
        Assert.Equal(1, server.Count(422));
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
        using var clients = Clients.Of(server.Address, builder => builder.AddIdempotentResilienceHandler());
        using var request = Payment();
        request.Headers.Add("Authorization", "Bearer token");
        using var response = await clients.EndAsync(clients.Client.SendAsync(request));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(["Bearer token", "Bearer token"], first);
    }

    [Fact]
    public async Task The_timeout_of_an_attempt_cuts_no_stream_of_events()
    {
        var gate = new Gate();
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: 1\n\n");
            await context.Response.Body.FlushAsync();
            await gate.PassAsync();
            await context.Response.WriteAsync("data: 2\n\n");
        }));
        using var clients = Clients.Of(server.Address, builder => builder.AddIdempotentResilienceHandler());
        using var request = Payment();
        using var response = await clients.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        clients.Time.Advance(60 * Second);
        gate.Open();
        Assert.Equal("data: 1\n\ndata: 2\n\n", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [MemberData(nameof(Arrangements))]
    public async Task A_Refit_client_pays_once_though_its_first_response_was_lost(string arrangement)
    {
        var effects = 0;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", (Ask ask) => new Paid(++effects, $"paid {ask.Amount}")).WithIdempotency());
        using var proxy = new TcpProxy(new Uri(server.Address).Port, counted: "POST ");
        using var clients = Clients.Of($"http://127.0.0.1:{proxy.Port}", All[arrangement], services => services.AddRefitGeneratedClient<IBank>());
        proxy.CutReplies(1);
        Assert.Equal(new Paid(1, "paid 42.50"), await clients.EndAsync(clients.Get<IBank>().PayAsync(new Ask(42.50m))));
        Assert.Equal(2, proxy.Requests);
    }

    [Fact]
    public async Task A_Refit_client_can_bring_the_key_of_its_operation()
    {
        var effects = 0;
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", (Ask ask) => new Paid(++effects, $"paid {ask.Amount}")).WithIdempotency());
        using var clients = Clients.Of(server.Address, builder => builder.AddIdempotentResilienceHandler(), services => services.AddRefitGeneratedClient<IBank>());
        var bank = clients.Get<IBank>();
        Assert.Equal(1, (await bank.PayAsync(new Ask(1), "order-7")).Id);
        Assert.Equal(1, (await bank.PayAsync(new Ask(1), "order-7")).Id);
        var error = await Assert.ThrowsAsync<ValidationApiException>(() => bank.PayAsync(new Ask(2), "order-7"));
        Assert.Equal(IdempotencyProblemCodes.KeyReused, error.Content!.Extensions["code"].ToString());
    }

    private static HttpRequestMessage Payment(string? key = null, decimal amount = 42.50m)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "payments") { Content = JsonContent.Create(new Ask(amount)) };
        if (key is not null)
        {
            request.SetIdempotencyKey(key);
        }

        return request;
    }
}
