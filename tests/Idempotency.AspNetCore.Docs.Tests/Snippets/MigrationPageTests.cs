namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/from-idempotentapi.md and docs/from-output-caching.md, run.</summary>
public sealed class MigrationPageTests
{
    [Fact]
    public async Task A_policy_behaves_as_IdempotentAPI_does()
    {
        var builder = Applications.NewBuilder();
        #region docs: idempotentapi-policy
        builder.Services.AddIdempotency(options => options.AddPolicy("as-before", new IdempotencyPolicy
        {
            HeaderName = "IdempotencyKey",                                              // HeaderKeyName
            Retention = TimeSpan.FromHours(48),                                         // ExpireHours
            ShouldStore = response => response.StatusCode is >= 200 and < 300,          // CacheOnlySuccessResponses
            KeyRequired = true,                                                         // IsIdempotencyOptional = false
            Methods = ["POST", "PATCH"],
            Fingerprint = RequestFingerprintMode.Raw,                                   // bodies are compared byte for byte
            ReplayFlagName = null,                                                      // no flag in the JSON of a replay
        }));
        #endregion
        await using var app = builder.Build();
        var runs = 0;
        app.UseIdempotency();
        app.MapPost("/", () => ++runs == 1 ? Results.BadRequest() : Results.Ok(new { runs })).WithIdempotency("as-before");
        using var client = await app.StartedAsync();
        client.DefaultRequestHeaders.Add("IdempotencyKey", "k");
        using var rejected = await client.PostAsync("/", null, "{}");
        using var first = await client.PostAsync("/", null, "{}");
        using var second = await client.PostAsync("/", null, "{}");
        using var written = await client.PostAsync("/", null, "{ }");
        Assert.Equal((400, 200, 200, 422), ((int)rejected.StatusCode, (int)first.StatusCode, (int)second.StatusCode, (int)written.StatusCode));
        Assert.Equal("""{"runs":2}""", await second.TextAsync());
    }

    [Fact]
    public async Task Output_caching_and_idempotency_do_not_meet()
    {
        var builder = Applications.NewBuilder();
        builder.Services.AddIdempotency();
        builder.Services.AddOutputCache();
        await using var app = builder.Build();
        var (reads, payments) = (0, 0);
        string ReadProducts() => $"read {++reads}";
        string Pay() => $"paid {++payments}";
        #region docs: output-caching
        app.UseOutputCache();
        app.UseIdempotency();
        app.MapGet("/products", ReadProducts).CacheOutput();
        app.MapPost("/payments", Pay).WithIdempotency();
        #endregion
        using var client = await app.StartedAsync();
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal("read 1", await client.GetStringAsync("/products", TestContext.Current.CancellationToken));
            using var response = await client.PostAsync("/payments", "k", "{}");
            Assert.Equal("paid 1", await response.TextAsync());
        }
    }
}
