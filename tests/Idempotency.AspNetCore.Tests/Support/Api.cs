using System.Net;
using System.Net.Http.Headers;
using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Tests;

/// <summary>An application under test, with its time and its store in the test's hands.</summary>
internal sealed class Api : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Api(WebApplication app, HttpClient client, FakeTimeProvider time, FakeLogCollector logs)
    {
        _app = app;
        Client = client;
        Time = time;
        Logs = logs;
    }

    public HttpClient Client { get; }

    public FakeTimeProvider Time { get; }

    public FakeLogCollector Logs { get; }

    public IServiceProvider Services => _app.Services;

    public ObservedStore Store => (ObservedStore)_app.Services.GetRequiredService<IIdempotencyStore>();

    public CompletedRecords CompletedRecords => _app.Services.GetRequiredService<CompletedRecords>();

    public Uri Address => Client.BaseAddress!;

    /// <summary>Starts an application.</summary>
    /// <param name="map">Its endpoints.</param>
    /// <param name="options">Its idempotency options.</param>
    /// <param name="services">More services.</param>
    /// <param name="outer">Middleware outside of idempotency; by default a sign-in by header.</param>
    /// <param name="kestrel">A real server on a free port, instead of one in memory.</param>
    public static async Task<Api> StartAsync(
        Action<WebApplication> map,
        Action<IdempotencyOptions>? options = null,
        Action<IServiceCollection>? services = null,
        Action<WebApplication>? outer = null,
        bool kestrel = false,
        Action<WebApplicationBuilder>? host = null)
    {
        var time = new FakeTimeProvider();
        var logs = new FakeLogCollector();
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production", ApplicationName = typeof(Api).Assembly.GetName().Name });
        builder.Configuration.Sources.Clear(); // the sample's settings lie in the same folder
        builder.Logging.ClearProviders().AddProvider(new FakeLoggerProvider(logs)).SetMinimumLevel(LogLevel.Debug);
        host?.Invoke(builder);
        if (kestrel)
        {
            builder.WebHost.UseKestrel(server => server.Listen(IPAddress.Loopback, 0));
        }
        else
        {
            builder.WebHost.UseTestServer();
        }

        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddSingleton<InMemoryIdempotencyStore>();
        // The tests' controllers are found by every application that has controllers.
        builder.Services.AddIdempotency(options).AddStore<ObservedStore>().Services.Configure<IdempotencyOptions>(known => known.Policies.TryAdd("exact", new IdempotencyPolicy { ReplayFlagName = null }));
        services?.Invoke(builder.Services);

        var app = builder.Build();
        app.Use((context, next) =>
        {
            if (context.Request.Headers["X-User"].ToString() is { Length: > 0 } user)
            {
                context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", user)], "test"));
            }

            return next(context);
        });
        outer?.Invoke(app);
        app.UseIdempotency();
        map(app);
        try
        {
            await app.StartAsync(TestContext.Current.CancellationToken);
        }
        catch
        {
            await app.DisposeAsync(); // what does not start would keep what watches its files
            throw;
        }

        var client = kestrel ? new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 }) { BaseAddress = new Uri(app.Urls.First()) } : app.GetTestClient();
        client.Timeout = TimeSpan.FromSeconds(60);
        return new Api(app, client, time, logs);
    }

    /// <summary>Sends a request with a key.</summary>
    public Task<HttpResponseMessage> SendAsync(string path = "/", string? key = "key-1", string? json = "{}", string? user = null, HttpMethod? method = null, Action<HttpRequestMessage>? with = null) =>
        Client.SendAsync(Request(path, key, json, user, method, with), TestContext.Current.CancellationToken);

    public static HttpRequestMessage Request(string path = "/", string? key = "key-1", string? json = "{}", string? user = null, HttpMethod? method = null, Action<HttpRequestMessage>? with = null)
    {
        var request = new HttpRequestMessage(method ?? HttpMethod.Post, path);
        if (json is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(json)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        }

        if (key is not null)
        {
            Assert.True(request.Headers.TryAddWithoutValidation("Idempotency-Key", key));
        }

        if (user is not null)
        {
            request.Headers.Add("X-User", user);
        }

        with?.Invoke(request);
        return request;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}

internal static class Responses
{
    public static bool IsReplay(this HttpResponseMessage response) => response.Headers.Contains("Idempotent-Replayed");

    public static async Task<string> TextAsync(this HttpResponseMessage response) => await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

    public static async Task<byte[]> BytesAsync(this HttpResponseMessage response) => await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);

    public static string? Header(this HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) || response.Content.Headers.TryGetValues(name, out values) ? string.Join(" | ", values) : null;

    /// <summary>All headers as a client sees them, but for those of one exchange or of the library.</summary>
    public static string[] Headers(this HttpResponseMessage response, params string[] except) =>
        [.. response.Headers.Concat(response.Content.Headers)
            .Where(header => !except.Contains(header.Key, StringComparer.OrdinalIgnoreCase))
            .SelectMany(header => header.Value.Select(value => $"{header.Key}: {value}"))
            .Order(StringComparer.Ordinal)];

    /// <summary>Asserts that a response is one of the library's refusals, complete, and without the key.</summary>
    public static async Task AssertProblemAsync(this HttpResponseMessage response, int status, string code, string retry)
    {
        var text = await response.TextAsync();
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal("no-store", response.Header("Cache-Control"));
        Assert.False(response.IsReplay());
        var problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.Equal(retry, problem.GetProperty("retry").GetString());
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.True(Uri.TryCreate(problem.GetProperty("type").GetString(), UriKind.Absolute, out _));
        Assert.NotEmpty(problem.GetProperty("title").GetString()!);
        Assert.NotEmpty(problem.GetProperty("detail").GetString()!);
        Assert.DoesNotContain("key-1", text, StringComparison.Ordinal);
    }
}
