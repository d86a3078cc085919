using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The code of docs/webhooks.md, run.</summary>
public sealed class WebhooksPageTests
{
    private readonly Secrets secrets = new();

    private static void AddPolicies(IServiceCollection services)
    {
        var builder = new { Services = services };
        #region docs: webhooks-policy
        builder.Services.AddIdempotency(options => options.AddPolicy("webhooks", new IdempotencyPolicy
        {
            KeySelector = "body.id",
            FingerprintSelector = "body.{type: type, data: data}",
            ShouldStore = response => response.StatusCode is >= 200 and < 300,
            Partition = _ => "payment-provider",
            Retention = TimeSpan.FromDays(7),
            WhenInProgress = InProgressBehavior.Wait,
        })).AddJmesPath();
        #endregion
        #region docs: webhooks-form
        builder.Services.AddIdempotency(options => options.AddPolicy("messages", new IdempotencyPolicy
        {
            KeySelector = "body.MessageSid",
            FingerprintSelector = "body.[MessageSid, MessageStatus]",
            ShouldStore = response => response.StatusCode is >= 200 and < 300,
            Partition = _ => "telephony",
        })).AddJmesPath();
        #endregion
    }

    private void UseSignatures(WebApplication app)
    {
        #region docs: webhooks-signature
        app.UseWhen(context => context.Request.Path.StartsWithSegments("/webhooks"), branch => branch.Use(async (context, next) =>
        {
            context.Request.EnableBuffering();
            var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            context.Request.Body.Position = 0;

            var expected = HMACSHA256.HashData(Encoding.UTF8.GetBytes(secrets.Current), body.ToArray());
            var given = context.Request.Headers["X-Signature"].ToString();
            if (!CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(expected)), Encoding.ASCII.GetBytes(given)))
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                return;
            }

            await next(context);
        }));

        app.UseIdempotency();
        #endregion
    }

    private static void Map(WebApplication app)
    {
        #region docs: webhooks-handler
        app.MapPost("/webhooks/payments", async (PaymentEvent payment, Ledger ledger) =>
        {
            await ledger.BookAsync(payment.Data);
            return Results.Ok();
        }).WithIdempotency("webhooks");
        #endregion
        app.MapPost("/messages", (HttpContext context, Ledger ledger) =>
        {
            ledger.Booked.Add(context.Request.Form["Body"].ToString());
            return ledger.Fails ? Results.BadRequest() : Results.Ok();
        }).WithIdempotency("messages").DisableAntiforgery();
    }

    private Task<Api> StartAsync() => Api.StartAsync(Map, services: services =>
    {
        services.AddSingleton<Ledger>();
        AddPolicies(services);
    }, outer: UseSignatures);

    private Task<HttpResponseMessage> DeliverAsync(Api api, string json, string secret) => api.SendAsync("/webhooks/payments", key: null, json, with: request =>
        request.Headers.Add("X-Signature", Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(json)))));

    [Fact]
    public async Task An_event_takes_effect_once_however_often_it_is_delivered()
    {
        await using var api = await StartAsync();
        var ledger = api.Services.GetRequiredService<Ledger>();
        using var first = await DeliverAsync(api, """{"id":"evt_1","type":"paid","data":{"amount":5},"attempt":1}""", "old");
        using var again = await DeliverAsync(api, """{"id":"evt_1","type":"paid","attempt":2,"data":{"amount":5}}""", "old");
        using var other = await DeliverAsync(api, """{"id":"evt_2","type":"paid","data":{"amount":6},"attempt":1}""", "old");
        using var forged = await DeliverAsync(api, """{"id":"evt_1","type":"paid","data":{"amount":7},"attempt":3}""", "old");
        using var without = await DeliverAsync(api, """{"type":"paid"}""", "old");
        Assert.True(first.IsSuccessStatusCode);
        Assert.True(again.IsReplay());
        Assert.Equal(["5", "6"], ledger.Booked);
        await forged.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        await without.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
    }

    [Fact]
    public async Task A_wrong_signature_is_400_for_a_replay_too_and_does_not_outlive_the_rotation()
    {
        await using var api = await StartAsync();
        const string Event = """{"id":"evt_1","type":"paid","data":{"amount":5}}""";
        using var early = await DeliverAsync(api, Event, "new");
        secrets.Current = "new";
        using var afterwards = await DeliverAsync(api, Event, "new");
        using var replay = await DeliverAsync(api, Event, "new");
        using var stranger = await DeliverAsync(api, Event, "guess");
        Assert.Equal(400, (int)early.StatusCode);
        Assert.Equal(200, (int)afterwards.StatusCode);
        Assert.True(replay.IsReplay());
        Assert.Equal(400, (int)stranger.StatusCode);
        Assert.False(stranger.IsReplay());
        Assert.Equal(["5"], api.Services.GetRequiredService<Ledger>().Booked);
    }

    [Fact]
    public async Task A_form_is_recognised_by_its_field_and_only_what_was_accepted_is_recorded()
    {
        await using var api = await StartAsync();
        var ledger = api.Services.GetRequiredService<Ledger>();
        Task<HttpResponseMessage> SendAsync(string form) => api.SendAsync("/messages", key: null, with: request => request.Content = new StringContent(form, new MediaTypeHeaderValue("application/x-www-form-urlencoded")));
        ledger.Fails = true;
        using var rejected = await SendAsync("MessageSid=SM1&MessageStatus=sent&Body=hi&Attempt=1");
        ledger.Fails = false;
        using var accepted = await SendAsync("MessageSid=SM1&MessageStatus=sent&Body=hi&Attempt=2");
        using var replay = await SendAsync("Attempt=3&MessageSid=SM1&MessageStatus=sent&Body=hi");
        Assert.Equal(400, (int)rejected.StatusCode);
        Assert.False(accepted.IsReplay());
        Assert.True(replay.IsReplay());
        Assert.Equal(["hi", "hi"], ledger.Booked);
    }

    private sealed record PaymentEvent(string Id, string Type, PaymentData Data);

    private sealed record PaymentData(decimal Amount);

    private sealed class Secrets
    {
        public string Current { get; set; } = "old";
    }

    private sealed class Ledger
    {
        public List<string> Booked { get; } = [];

        public bool Fails { get; set; }

        public Task BookAsync(PaymentData payment)
        {
            Booked.Add(payment.Amount.ToString(System.Globalization.CultureInfo.InvariantCulture));
            return Task.CompletedTask;
        }
    }
}
