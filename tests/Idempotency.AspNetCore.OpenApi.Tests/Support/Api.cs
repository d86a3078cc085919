using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>An application that documents itself, and its document as a client gets it.</summary>
internal sealed class Api : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Api(WebApplication app) => (_app, Client) = (app, app.GetTestClient());

    public HttpClient Client { get; }

    /// <summary>Starts an application.</summary>
    /// <param name="map">Its endpoints.</param>
    /// <param name="options">Its idempotency options.</param>
    /// <param name="services">More services.</param>
    /// <param name="document">The options of the document "v1"; by default <c>AddIdempotency()</c> alone.</param>
    public static async Task<Api> StartAsync(
        Action<WebApplication> map,
        Action<IdempotencyOptions>? options = null,
        Action<IServiceCollection>? services = null,
        Action<OpenApiOptions>? document = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production", ApplicationName = typeof(Api).Assembly.GetName().Name });
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddIdempotency(options);
        builder.Services.AddOpenApi(document ?? (document => document.AddIdempotency()));
        services?.Invoke(builder.Services);

        var app = builder.Build();
        app.UseIdempotency();
        app.MapOpenApi();
        app.MapOpenApi("/openapi/{documentName}.yaml");
        map(app);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new Api(app);
    }

    public Task<string> TextAsync(string path = "/openapi/v1.json") => Client.GetStringAsync(path, TestContext.Current.CancellationToken);

    public async Task<JsonNode> DocumentAsync(string name = "v1") => JsonNode.Parse(await TextAsync($"/openapi/{name}.json"))!;

    public async Task<JsonNode> OperationAsync(string path, string method = "post", string document = "v1") =>
        (await DocumentAsync(document))["paths"]![path]![method]!;

    /// <summary>The operation of an application that has only this one, mapped at <c>/payments</c> under a policy.</summary>
    public static async Task<JsonNode> OperationUnderAsync(IdempotencyPolicy policy, Delegate? handler = null, Action<RouteHandlerBuilder>? with = null)
    {
        handler ??= (Payment payment) => payment;
        await using var api = await StartAsync(app =>
        {
            var endpoint = app.MapPost("/payments", handler).WithIdempotency(policy);
            with?.Invoke(endpoint);
        });
        return await api.OperationAsync("/payments");
    }

    public async Task<HttpResponseMessage> PostAsync(string path, string? key = "key-1", string json = """{"amount":1}""")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new ByteArrayContent(Encoding.UTF8.GetBytes(json)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
        if (key is not null)
        {
            Assert.True(request.Headers.TryAddWithoutValidation("Idempotency-Key", key));
        }

        return await Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}
