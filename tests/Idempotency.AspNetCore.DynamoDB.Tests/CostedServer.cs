using System.Net;
using System.Text;
using Amazon.DynamoDBv2;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Idempotency.AspNetCore.DynamoDB.Tests;

/// <summary>A server on DynamoDB with handlers of every kind, and a clock of its own.</summary>
internal sealed class CostedServer : IAsyncDisposable
{
    // Its milliseconds and seconds do not end with a zero, which an item's size would not count; nor do those of a lease and a retention later.
    public static readonly DateTimeOffset Start = new(2033, 3, 3, 3, 33, 33, 333, TimeSpan.Zero);

    private readonly WebApplication _app;
    private readonly AmazonDynamoDBClient _client;

    private CostedServer(WebApplication app, AmazonDynamoDBClient client, FakeTimeProvider time) => (_app, _client, Time) = (app, client, time);

    public FakeTimeProvider Time { get; }

    /// <summary>Where a handler that waits stands first.</summary>
    public Gate Before { get; } = new();

    /// <summary>Where it stands when it has done what it does.</summary>
    public Gate After { get; } = new();

    public static async Task<CostedServer> StartAsync(AmazonDynamoDBClient client, bool hasLocalCache)
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        var time = new FakeTimeProvider(Start);
        builder.Services.AddSingleton<TimeProvider>(time).AddSingleton<IAmazonDynamoDB>(client);
        builder.Services.AddIdempotency(options => options.LocalCacheMaxEntries = hasLocalCache ? options.LocalCacheMaxEntries : 0)
            .AddDynamoDBStore(options => (options.TableName, options.CreateTableIfMissing) = ("costs", true));
        builder.Services.AddHealthChecks().AddIdempotencyStore(timeout: TimeSpan.FromMinutes(1)); // of the real clock
        var app = builder.Build();
        var server = new CostedServer(app, client, time);
        app.UseIdempotency();
        server.Map(app);
        await app.StartAsync();
        await server.CheckHealthAsync(); // the table is there now
        return server;
    }

    /// <param name="path">Which handler.</param>
    /// <param name="key">The idempotency key.</param>
    /// <param name="expected">The status that the answer has.</param>
    public async Task SendAsync(string path, string key, int expected = 200)
    {
        using var client = _app.GetTestClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent("{\"amount\":5}", Encoding.UTF8, "application/json") };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await client.SendAsync(request);
        Assert.Equal((HttpStatusCode)expected, response.StatusCode);
    }

    public async Task CheckHealthAsync() =>
        Assert.Equal(HealthStatus.Healthy, (await _app.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Status);

    public async ValueTask DisposeAsync()
    {
        Before.Open();
        After.Open();
        await _app.DisposeAsync();
        _client.Dispose();
    }

    private void Map(WebApplication app)
    {
        // What does not compress, so that sizes are what they say.
        var large = new byte[10_000];
        new Random(1).NextBytes(large);
        app.MapPost("/pay", () => new { id = 1, name = "Ann", ok = true }).WithIdempotency();
        app.MapPost("/large", () => Results.Bytes(large)).WithIdempotency();
        app.MapPost("/fails", () => Results.StatusCode(500)).WithIdempotency();
        app.MapPost("/step-fails", async (IIdempotentRun run) =>
        {
            await run.StepAsync("charge", _ => Task.FromResult(5));
            return Results.StatusCode(500);
        }).WithIdempotency();
        Waiting("/slow", _ => Task.CompletedTask);
        Waiting("/step", run => run.StepAsync("charge", _ => Task.FromResult(5)));
        Waiting("/effects", run => run.MarkEffectsStartedAsync());

        void Waiting(string path, Func<IIdempotentRun, Task> work) => app.MapPost(path, async (IIdempotentRun run) =>
        {
            await Before.PassAsync();
            await work(run);
            await After.PassAsync();
        }).WithIdempotency();
    }
}
