using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Routing;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/testing.md, run against an application as its readers have one.</summary>
public sealed class TestingPageTests : IAsyncLifetime
{
    private readonly Ledger _ledger = new();
    private readonly FakeTimeProvider time = new();
    private WebApplication app = null!;
    private HttpClient client = null!;

    public async ValueTask InitializeAsync()
    {
        var builder = Applications.NewBuilder();
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddIdempotency();
        app = builder.Build();
        app.UseIdempotency();
        app.MapPost("/payments", async (Payment payment) =>
        {
            _ledger.Arrived?.SetResult();
            await (_ledger.Gate?.Task ?? Task.CompletedTask);
            return TypedResults.Created($"/payments/{_ledger.Pay(payment)}", payment);
        }).WithIdempotency();
        client = await app.StartedAsync();
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await app.DisposeAsync();
    }

    #region docs: testing-replay
    [Fact]
    public async Task A_retry_gets_the_first_response_and_pays_nothing()
    {
        using var first = await client.SendAsync(Payment("key-1", 42.50m));
        using var retry = await client.SendAsync(Payment("key-1", 42.50m));

        Assert.Equal(HttpStatusCode.Created, retry.StatusCode);
        Assert.Equal(first.Headers.Location, retry.Headers.Location);
        Assert.True(retry.Headers.Contains("Idempotent-Replayed"));
        Assert.Equal(1, _ledger.Payments);
    }

    private static HttpRequestMessage Payment(string key, decimal amount) => new(HttpMethod.Post, "/payments")
    {
        Headers = { { "Idempotency-Key", key } },
        Content = JsonContent.Create(new { amount }),
    };
    #endregion

    [Fact]
    public async Task Another_amount_with_the_key_is_rejected()
    {
        #region docs: testing-reused
        using var first = await client.SendAsync(Payment("key-1", 42.50m));
        using var other = await client.SendAsync(Payment("key-1", 43.50m));

        Assert.Equal(HttpStatusCode.UnprocessableEntity, other.StatusCode);
        #endregion
    }

    [Fact]
    public async Task A_duplicate_that_races_is_rejected()
    {
        #region docs: testing-race
        _ledger.Arrived = new TaskCompletionSource(); // the handler sets it, and then waits for the gate
        _ledger.Gate = new TaskCompletionSource();
        var first = client.SendAsync(Payment("key-1", 42.50m));
        await _ledger.Arrived.Task;
        using var duplicate = await client.SendAsync(Payment("key-1", 42.50m));
        _ledger.Gate.SetResult();

        Assert.Equal(HttpStatusCode.Conflict, duplicate.StatusCode);
        Assert.Equal(HttpStatusCode.Created, (await first).StatusCode);
        Assert.Equal(1, _ledger.Payments);
        #endregion
    }

    [Fact]
    public async Task After_the_retention_the_key_is_free()
    {
        #region docs: testing-expiry
        using var first = await client.SendAsync(Payment("key-1", 42.50m));
        time.Advance(TimeSpan.FromHours(24));
        using var later = await client.SendAsync(Payment("key-1", 42.50m));

        Assert.False(later.Headers.Contains("Idempotent-Replayed"));
        Assert.Equal(2, _ledger.Payments);
        #endregion
    }

    [Fact]
    public void Every_endpoint_that_changes_something_is_protected()
    {
        #region docs: testing-coverage
        var unprotected = app.Services.GetRequiredService<EndpointDataSource>().Endpoints
            .Where(endpoint => endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods.Contains("POST") == true)
            .Where(endpoint => IdempotencyEndpoint.Find(endpoint, "POST", app.Services) is null);

        Assert.Empty(unprotected);
        #endregion
    }

    private sealed class Ledger
    {
        public int Payments { get; private set; }

        public TaskCompletionSource? Arrived { get; set; }

        public TaskCompletionSource? Gate { get; set; }

        public int Pay(Payment payment) => payment.Amount > 0 ? ++Payments : 0;
    }
}
