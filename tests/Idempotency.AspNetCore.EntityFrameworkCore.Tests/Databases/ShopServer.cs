using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>A real server of an application that keeps its records beside its orders.</summary>
internal sealed class ShopServer : IAsyncDisposable
{
    public static readonly IdempotencyPolicy Same = new() { Transaction = IdempotencyTransaction.SameAsHandler, Partition = _ => "tests", ReplayFlagName = null };

    private readonly WebApplication _app;

    private ShopServer(WebApplication app, HttpClient client, FakeLogCollector logs) => (_app, Client, Logs) = (app, client, logs);

    public HttpClient Client { get; }

    public FakeLogCollector Logs { get; }

    /// <summary>What its clients' keys begin with: tests of one class share a database.</summary>
    public string Keys { get; } = $"{Guid.NewGuid():N}";

    public IServiceProvider Services => _app.Services;

    /// <summary>Starts one with a protected endpoint at "/", and more if asked for.</summary>
    public static async Task<ShopServer> StartAsync(
        Action<DbContextOptionsBuilder> database,
        Delegate handler,
        IdempotencyPolicy? policy = null,
        Action<IServiceCollection>? services = null,
        Action<WebApplication>? outer = null,
        Action<WebApplication>? inner = null,
        Action<EntityFrameworkCoreIdempotencyStoreOptions>? store = null)
    {
        var logs = new FakeLogCollector();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { EnvironmentName = "Production" }); // no settings, whose files would be watched
        builder.Logging.AddProvider(new FakeLoggerProvider(logs)).SetMinimumLevel(LogLevel.Debug);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(server => server.Listen(IPAddress.Loopback, 0));
        builder.Services.AddRouting();
        builder.Services.AddIdempotency().AddEntityFrameworkCoreStore<Shop>(store);
        services?.Invoke(builder.Services);
        builder.Services.AddDbContext<Shop>(database); // adds to what is there, or is what is there
        var app = builder.Build();
        outer?.Invoke(app);
        app.UseIdempotency();
        inner?.Invoke(app);
        app.MapPost("/", handler).WithIdempotency(policy ?? Same);
        await app.StartAsync(TestContext.Current.CancellationToken);
        var client = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = new Uri(app.Urls.First()), Timeout = TimeSpan.FromSeconds(60) };
        return new ShopServer(app, client, logs);
    }

    public async Task<Told> SendAsync(string key = "key-1", HttpContent? content = null, string path = "/", string? keys = null, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content ?? new ByteArrayContent(Encoding.UTF8.GetBytes("{}")) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } } };
        request.Headers.Add("Idempotency-Key", (keys ?? Keys) + key);
        using var response = await Client.SendAsync(request, cancellationToken);
        return new Told((int)response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken), response.Headers.Contains("Idempotent-Replayed"), response.Headers.ToDictionary(header => header.Key, header => string.Join(" | ", header.Value), StringComparer.OrdinalIgnoreCase));
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}

/// <summary>What a client was told.</summary>
internal sealed record Told(int Status, string Text, bool IsReplay, IReadOnlyDictionary<string, string> Headers)
{
    public string? Code => Text.Contains("\"code\":\"", StringComparison.Ordinal) ? Text.Split("\"code\":\"")[1].Split('"')[0] : null;
}
