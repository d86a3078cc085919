using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Idempotency.Http.Tests;

/// <summary>Both halves together: this client, a real connection, and a real server with <c>UseIdempotency()</c>.</summary>
public sealed class ServerTests
{
    [Fact]
    public async Task Another_request_under_the_same_key_is_rejected()
    {
        await using var server = await Server.StartAsync(app => app.MapPost("/payments", () => "paid").WithIdempotency());
        await using var services = Client(server.Address);
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
            await using var services = Client(server.Address, format);
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
        await using var services = Client(server.Address, IdempotencyKeyFormat.Quoted);
        using var response = await services.GetRequiredService<HttpClient>().SendAsync(Request(key));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(key, seen);
    }

    private static ServiceProvider Client(string address, IdempotencyKeyFormat format = IdempotencyKeyFormat.Bare)
    {
        var services = new ServiceCollection();
        services.AddHttpClient("payments", client => client.BaseAddress = new Uri(address + "/")).AddIdempotencyKeys(options => options.Format = format);
        services.AddTransient(provider => provider.GetRequiredService<IHttpClientFactory>().CreateClient("payments"));
        return services.BuildServiceProvider();
    }

    private static HttpRequestMessage Request(string key, string json = """{"amount":42.50}""")
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "payments") { Content = new StringContent(json, System.Text.Encoding.UTF8, "application/json") };
        request.SetIdempotencyKey(key);
        return request;
    }
}
