using System.Text;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/policies.md, run.</summary>
public sealed class PoliciesPageTests
{
    [Fact]
    public async Task Policies_apply_to_the_endpoints_that_name_them()
    {
        var builder = Applications.NewBuilder();
        #region docs: policies-register
        builder.Services.AddIdempotency(options =>
        {
            options.DefaultPolicy = options.DefaultPolicy with { Retention = TimeSpan.FromHours(1) };
            options.AddPolicy("orders", new IdempotencyPolicy { KeySource = IdempotencyKeySource.Body, WhenInProgress = InProgressBehavior.Wait });
        });
        #endregion
        builder.Services.AddProblemDetails();
        builder.Services.AddCors();
        builder.Services.AddResponseCompression();
        builder.Services.AddAuthentication();
        builder.Services.AddAuthorization();
        builder.Services.AddRateLimiter(_ => { });
        await using var app = builder.Build();
        #region docs: pipeline
        app.UseExceptionHandler();   // before: it gets the handler's exceptions, with a clean response
        app.UseResponseCompression();
        app.UseRouting();            // if you call it yourself
        app.UseCors();
        app.UseAuthentication();
        app.UseAuthorization();      // before: a recorded response is only for a caller who may still have it
        app.UseRateLimiter();
        app.UseIdempotency();
        #endregion
        #region docs: policies-apply
        app.MapPost("/orders", Order).WithIdempotency("orders");
        app.MapPost("/transfers", Transfer).WithIdempotency(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse });
        #endregion
        #region docs: policies-attribute
        app.MapPost("/invoices", [Idempotent("orders", FingerprintHeaders = ["X-Api-Version"])] (Payment payment) => payment);
        #endregion
        using var client = await app.StartedAsync();
        foreach (var (path, key) in new[] { ("/orders", null), ("/transfers", "k"), ("/invoices", (string?)null) })
        {
            using var first = await client.PostAsync(path, key, """{"amount":1}""");
            using var second = await client.PostAsync(path, key, """{"amount":1.0}""");
            Assert.True(first.IsSuccessStatusCode);
            Assert.True(second.IsReplay());
        }

        static Payment Order(Payment payment) => payment;
        static Payment Transfer(Payment payment) => payment;
    }

    [Fact]
    public void The_settings_are_read()
    {
        var builder = Applications.NewBuilder();
        builder.Configuration.AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(Snippets.Json(Repository.Read("docs/policies.md"), "policies-settings"))));
        builder.Services.AddIdempotency(builder.Configuration.GetSection("Idempotency"));
        using var services = builder.Services.BuildServiceProvider();
        var options = services.GetRequiredService<IOptions<IdempotencyOptions>>().Value;
        Assert.Equal(TimeSpan.FromHours(1), options.DefaultPolicy.Retention);
        Assert.Equal(
            (IdempotencyKeySource.Body, InProgressBehavior.Wait, TimeSpan.FromHours(1)),
            (options.Policies["orders"].KeySource, options.Policies["orders"].WhenInProgress, options.Policies["orders"].Retention));
    }

    [Fact]
    public async Task The_key_is_what_the_expression_selects()
    {
        var builder = Applications.NewBuilder();
        builder.Services.AddIdempotency().AddJmesPath();
        await using var app = builder.Build();
        app.UseIdempotency();
        #region docs: select-the-key
        app.MapPost("/payments", Pay).WithIdempotency(new IdempotencyPolicy
        {
            KeySelector = "[transaction_id, user_id]",        // the key: the SHA-256 of what is selected
            FingerprintSelector = "{amount: amount, to: to}", // a retry may differ in everything else
        });
        app.MapPost("/refunds", [Idempotent(KeySelector = "headers.\"x-refund-id\"")] () => "refunded");
        #endregion
        using var client = await app.StartedAsync();
        using var first = await client.PostAsync("/payments", null, """{"transaction_id":1,"user_id":2,"amount":3,"to":"a","sent":1}""");
        using var second = await client.PostAsync("/payments", null, """{"transaction_id":1,"user_id":2,"amount":3,"to":"a","sent":2}""");
        using var reused = await client.PostAsync("/payments", null, """{"transaction_id":1,"user_id":2,"amount":4,"to":"a"}""");
        client.DefaultRequestHeaders.Add("X-Refund-Id", "r-1");
        using var refund = await client.PostAsync("/refunds", null, "{}");
        using var refundAgain = await client.PostAsync("/refunds", null, "{}");
        Assert.False(first.IsReplay());
        Assert.True(second.IsReplay());
        Assert.Equal(422, (int)reused.StatusCode);
        Assert.True(refundAgain.IsReplay());

        static string Pay() => "paid";
    }
}
