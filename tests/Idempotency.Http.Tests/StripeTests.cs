using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Stripe;

namespace Idempotency.Http.Tests;

/// <summary>An API in the shape of Stripe's, as docs/stripe.md builds it, called by Stripe's own SDK.</summary>
public sealed class StripeTests
{
    private int _payments;

    [Fact]
    public async Task When_the_response_is_lost_the_SDK_sends_the_request_again_and_gets_the_recorded_response()
    {
        await using var server = await StartAsync();
        using var proxy = new TcpProxy(new Uri(server.Address).Port, counted: "POST ");
        using var http = new HttpClient();
        proxy.CutReplies(1);
        var intent = await Intents($"http://127.0.0.1:{proxy.Port}", http).CreateAsync(new PaymentIntentCreateOptions { Amount = 4250, Currency = "eur" });
        Assert.Equal(("pi_1", 4250), (intent.Id, intent.Amount));
        Assert.Equal(["true"], intent.StripeResponse.Headers.GetValues("Idempotent-Replayed"));
        Assert.Equal(1, _payments);
        Assert.Equal(2, proxy.Requests);
    }

    [Fact]
    public async Task Another_request_under_the_same_key_surfaces_as_the_SDKs_idempotency_error_and_is_not_sent_again()
    {
        await using var server = await StartAsync();
        using var http = new HttpClient();
        var intents = Intents(server.Address, http);
        await intents.CreateAsync(new PaymentIntentCreateOptions { Amount = 4250, Currency = "eur" }, new RequestOptions { IdempotencyKey = "order-7" });
        var error = await Assert.ThrowsAsync<StripeException>(() =>
            intents.CreateAsync(new PaymentIntentCreateOptions { Amount = 4350, Currency = "eur" }, new RequestOptions { IdempotencyKey = "order-7" }));
        Assert.Equal("idempotency_error", error.StripeError.Type);
        Assert.Equal(IdempotencyProblemCodes.KeyReused, error.StripeError.Code);
        Assert.Contains("with a new key", error.StripeError.Message, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, error.HttpStatusCode);
        Assert.Equal(1, server.Count(400));
        Assert.Equal(1, _payments);
    }

    [Fact]
    public async Task While_the_first_request_is_running_the_SDK_asks_again_until_it_gets_the_response()
    {
        var gate = new Gate();
        await using var server = await StartAsync(gate.PassAsync);
        using var http = new HttpClient();
        var intents = Intents(server.Address, http);
        var options = new PaymentIntentCreateOptions { Amount = 4250, Currency = "eur" };
        var first = intents.CreateAsync(options, new RequestOptions { IdempotencyKey = "order-7" });
        await gate.ArrivedAsync();
        var second = intents.CreateAsync(options, new RequestOptions { IdempotencyKey = "order-7" });
        await Eventually.TrueAsync(() => server.Count(409) > 0, "the second request finds the first one running");
        gate.Open();
        Assert.Equal("pi_1", (await first).Id);
        Assert.Equal("pi_1", (await second).Id);
        Assert.Equal(1, _payments);
    }

    [Fact]
    public async Task A_conflict_that_will_not_pass_is_not_sent_again()
    {
        await using var server = await StartAsync(policy: "small");
        using var http = new HttpClient();
        var intents = Intents(server.Address, http);
        var options = new PaymentIntentCreateOptions { Amount = 4250, Currency = "eur" };
        await intents.CreateAsync(options, new RequestOptions { IdempotencyKey = "order-7" });
        var error = await Assert.ThrowsAsync<StripeException>(() => intents.CreateAsync(options, new RequestOptions { IdempotencyKey = "order-7" }));
        Assert.Equal(IdempotencyProblemCodes.ResponseUnavailable, error.StripeError.Code);
        Assert.Equal(1, server.Count(409)); // without Stripe-Should-Retry the SDK sends every 409 again
    }

    private static PaymentIntentService Intents(string address, HttpClient http)
    {
        var client = new StripeClient(new StripeClientOptions
        {
            ApiKey = "sk_test_123",
            ApiBase = address,
            HttpClient = new SystemNetHttpClient(http, maxNetworkRetries: 5),
        });
        return new PaymentIntentService(client);
    }

    private Task<Server> StartAsync(Func<Task>? work = null, string policy = "stripe") =>
        Server.StartAsync(
            app =>
            {
                app.MapPost("/v1/payment_intents", async (HttpRequest request) =>
                {
                    await (work?.Invoke() ?? Task.CompletedTask);
                    var form = await request.ReadFormAsync();
                    return new { id = $"pi_{++_payments}", @object = "payment_intent", amount = long.Parse(form["amount"]!, System.Globalization.CultureInfo.InvariantCulture) };
                }).WithIdempotency(policy);
            },
            builder =>
            {
                #region docs: stripe
                builder.Services.AddIdempotency(options => options.AddPolicy("stripe", new IdempotencyPolicy
                {
                    KeyRequired = false,    // the SDKs send a key with every POST, other clients need not
                    ReplayFlagName = null,  // a replay is byte for byte the first response; Idempotent-Replayed marks it, as it does at Stripe
                }));

                builder.Services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
                {
                    var problem = context.ProblemDetails;
                    if (!problem.Extensions.TryGetValue("code", out var code) || code is not string name || !name.StartsWith("idempotency-", StringComparison.Ordinal))
                    {
                        return; // not one of Idempotency.AspNetCore
                    }

                    var response = context.HttpContext.Response;
                    if (problem.Status == 422)
                    {
                        problem.Status = response.StatusCode = 400; // where the SDKs look for an idempotency error
                    }

                    response.Headers["Stripe-Should-Retry"] = problem.Extensions["retry"] is "same-key" ? "true" : "false";
                    problem.Extensions["error"] = new Dictionary<string, string?>
                    {
                        ["type"] = problem.Status >= 500 ? "api_error" : "idempotency_error",
                        ["code"] = name,
                        ["message"] = problem.Detail,
                    };
                });
                #endregion

                builder.Services.AddIdempotency(options => options.AddPolicy("small", new IdempotencyPolicy { MaxResponseBodySize = 10 }));
            });
}
