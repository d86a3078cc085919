using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Dashboard.Tests;

/// <summary>An application with a dashboard, its time and its store in the test's hands.</summary>
internal sealed class Site : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Site(WebApplication app, FakeTimeProvider time, FakeLogCollector logs) => (_app, Time, Logs, Client) = (app, time, logs, app.GetTestClient());

    public HttpClient Client { get; }

    public FakeTimeProvider Time { get; }

    public FakeLogCollector Logs { get; }

    public IServiceProvider Services => _app.Services;

    public TroubledStore Store => (TroubledStore)_app.Services.GetRequiredService<IIdempotencyStore>();

    public IIdempotencyRecords Records => _app.Services.GetRequiredService<IIdempotencyRecords>();

    /// <summary>Starts an application with the dashboard for <c>operators</c>, unless <paramref name="dashboard"/> maps it otherwise.</summary>
    public static async Task<Site> StartAsync(
        Action<WebApplication>? map = null,
        Action<IdempotencyOptions>? options = null,
        Action<IServiceCollection>? services = null,
        Action<WebApplication>? dashboard = null,
        Action<WebApplication>? outer = null)
    {
        var time = new FakeTimeProvider();
        var logs = new FakeLogCollector();
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production", ApplicationName = typeof(Site).Assembly.GetName().Name });
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders().AddProvider(new FakeLoggerProvider(logs));
        builder.WebHost.UseTestServer();
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddSingleton<InMemoryIdempotencyStore>();
        builder.Services.AddIdempotency(options).AddStore<TroubledStore>();
        builder.Services.AddAuthentication("header").AddScheme<AuthenticationSchemeOptions, HeaderAuthentication>("header", null);
        builder.Services.AddAuthorization(policies => policies.AddPolicy("operators", policy => policy.RequireClaim("sub", "operator")));
        services?.Invoke(builder.Services);
        var app = builder.Build();
        outer?.Invoke(app);
        app.UseRouting();
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseIdempotency();
        map?.Invoke(app);
        (dashboard ?? (static app => app.MapIdempotencyDashboard("operators")))(app);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new Site(app, time, logs);
    }

    /// <summary>Sends a request of a client.</summary>
    public async Task<HttpStatusCode> PayAsync(string path = "/pay", string? key = "key-1", string json = "{}", string? user = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = Json(json) };
        if (key is not null)
        {
            Assert.True(request.Headers.TryAddWithoutValidation("Idempotency-Key", key));
        }

        if (user is not null)
        {
            request.Headers.Add(HeaderAuthentication.Header, user);
        }

        using var response = await Client.SendAsync(request, TestContext.Current.CancellationToken);
        return response.StatusCode;
    }

    /// <summary>Asks for something of the dashboard, as an operator unless told otherwise.</summary>
    public Task<HttpResponseMessage> AskAsync(string path, string? user = "operator", HttpMethod? method = null, string? json = null, Action<HttpRequestMessage>? with = null, bool headersOnly = false)
    {
        var request = new HttpRequestMessage(method ?? (json is null ? HttpMethod.Get : HttpMethod.Post), path);
        if (json is not null)
        {
            request.Content = Json(json);
        }

        request.Headers.Add("Idempotency-Dashboard", "1"); // as the page does

        if (user is not null)
        {
            request.Headers.TryAddWithoutValidation(HeaderAuthentication.Header, user);
        }

        with?.Invoke(request);
        return Client.SendAsync(request, headersOnly ? HttpCompletionOption.ResponseHeadersRead : HttpCompletionOption.ResponseContentRead, TestContext.Current.CancellationToken);
    }

    public Task<JsonElement> NumbersAsync() => ReadAsync("numbers");

    public Task<JsonElement> AttentionAsync(bool again = false) => ReadAsync(again ? "attention?again" : "attention");

    public Task<JsonElement> LookUpAsync(string json) => ReadAsync("look-up", json);

    public Task<JsonElement> LookUpAsync(StoreKey key) => LookUpAsync($$"""{"storeKey":"{{key}}"}""");

    public Task<JsonElement> ForgetAsync(StoreKey key) => ReadAsync("forget", $$"""{"storeKey":"{{key}}"}""");

    /// <summary>A claim of a process that is gone.</summary>
    public async Task<StoreKey> AbandonAsync(string name, int attempt = 1)
    {
        var key = new StoreKey(Sha256Hash.Of(Encoding.UTF8.GetBytes(name)));
        var claim = new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = default, Attempt = attempt, Lease = TimeSpan.FromSeconds(60), Retention = TimeSpan.FromHours(1) };
        Assert.True((await Store.Inner.ClaimAsync(key, claim, default)).IsAcquired);
        return key;
    }

    /// <summary>A record that nobody can read.</summary>
    public async Task<StoreKey> DamageAsync(StoreKey key)
    {
        var claim = new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = default, Attempt = 1, Lease = TimeSpan.FromSeconds(60), Retention = TimeSpan.FromHours(1) };
        Assert.True((await Store.Inner.ClaimAsync(key, claim, default)).IsAcquired);
        Assert.True(await Store.Inner.CompleteAsync(key, claim.Owner, "gibberish"u8.ToArray(), TimeSpan.FromHours(1), default));
        return key;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }

    private async Task<JsonElement> ReadAsync(string path, string? json = null)
    {
        using var response = await AskAsync($"/idempotency/{path}", json: json);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, $"{path}: {response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    private static ByteArrayContent Json(string json) => new(Encoding.UTF8.GetBytes(json)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
}
