namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/openapi.md, run.</summary>
public sealed class OpenApiPageTests
{
    [Fact]
    public async Task The_document_has_the_key_and_the_problems()
    {
        var builder = Applications.NewBuilder();
        static string Pay() => "paid";
        #region docs: openapi
        builder.Services.AddIdempotency();
        builder.Services.AddOpenApi(options => options.AddIdempotency());

        await using var app = builder.Build();
        app.UseIdempotency();
        app.MapOpenApi(); // /openapi/v1.json
        app.MapPost("/payments", Pay).WithIdempotency();
        #endregion
        using var client = await app.StartedAsync();
        var document = await client.GetStringAsync("/openapi/v1.json", TestContext.Current.CancellationToken);
        Assert.Contains("Idempotency-Key", document, StringComparison.Ordinal);
        Assert.Contains("idempotency-key-reused", document, StringComparison.Ordinal);
    }
}
