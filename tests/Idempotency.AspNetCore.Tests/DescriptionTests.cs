using System.Reflection;
using Microsoft.AspNetCore.Routing;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What others can learn of an endpoint's protection, to document it or to stand in front of it.</summary>
public sealed class DescriptionTests
{
    private static RouteEndpoint EndpointOf(Api api, string path) =>
        api.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().Single(endpoint => endpoint.RoutePattern.RawText == path);

    private static IdempotencyEndpoint? Find(Api api, string path, string? method = "POST") => IdempotencyEndpoint.Find(EndpointOf(api, path), method, api.Services);

    [Fact]
    public async Task An_endpoint_tells_the_policy_that_is_in_force()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/own", () => 1).WithIdempotency(new IdempotencyPolicy { KeySource = IdempotencyKeySource.HeaderOrBody, FingerprintHeaders = ["X-Version"] });
                app.MapPost("/named", [Idempotent("payments", FingerprintHeaders = ["X-Tenant"])] () => 1);
                app.MapPost("/body", () => 1).WithIdempotency(new IdempotencyPolicy { KeySource = IdempotencyKeySource.Body });
            },
            options => options.AddPolicy("payments", new IdempotencyPolicy { HeaderName = "Payment-Key", Retention = TimeSpan.FromDays(7) }));

        var own = Find(api, "/own")!;
        Assert.True(own is { TakesKeyFromHeader: true, TakesKeyFromContent: true });
        Assert.Equal(["Idempotency-Key", "X-Version"], own.VaryingHeaders);

        var named = Find(api, "/named")!;
        Assert.Equal(("Payment-Key", TimeSpan.FromDays(7)), (named.Policy.HeaderName, named.Policy.Retention));
        Assert.Equal(["Payment-Key", "X-Tenant"], named.VaryingHeaders);
        Assert.True(named is { TakesKeyFromHeader: true, TakesKeyFromContent: false });

        var body = Find(api, "/body")!;
        Assert.True(body is { TakesKeyFromHeader: false, TakesKeyFromContent: true });
        Assert.DoesNotContain(body.Problems(mayHaveBody: true), problem => problem.Code == "idempotency-key-invalid");
    }

    [Fact]
    public async Task Where_requests_pass_through_there_is_nothing_to_tell()
    {
        static void Map(WebApplication app)
        {
            app.MapPost("/protected", () => 1).WithIdempotency();
            app.MapPost("/plain", () => 1);
            app.MapPost("/disabled", () => 1).WithIdempotency().DisableIdempotency();
        }

        await using var api = await Api.StartAsync(Map);
        Assert.NotNull(Find(api, "/protected"));
        Assert.NotNull(Find(api, "/protected", method: null));
        Assert.Null(Find(api, "/protected", "GET"));
        Assert.Null(Find(api, "/plain"));
        Assert.Null(Find(api, "/disabled"));

        await using var off = await Api.StartAsync(Map, options => options.Enabled = false);
        Assert.Null(Find(off, "/protected"));
    }

    [Fact]
    public async Task A_rejection_is_one_of_the_problems_that_the_endpoint_tells()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) => 1).WithIdempotency(new IdempotencyPolicy { MaxRequestBodySize = 5 }));
        var problems = Find(api, "/")!.Problems(mayHaveBody: true).ToDictionary(problem => (problem.Code, problem.Title));
        foreach (var (key, json, code) in new[] { (null, "{}", "idempotency-key-missing"), (new string('x', IdempotencyEndpoint.MaxKeyLength + 1), "{}", "idempotency-key-invalid"), ("k", "\"longer\"", "idempotency-body-too-large") })
        {
            using var rejected = await api.SendAsync("/", key, json);
            var sent = System.Text.Json.JsonDocument.Parse(await rejected.TextAsync()).RootElement;
            var told = problems[(code, sent.GetProperty("title").GetString()!)];
            Assert.Equal(
                (told.Status, told.Type, told.Detail, told.Code, told.Retry),
                ((int)rejected.StatusCode, sent.GetProperty("type").GetString(), sent.GetProperty("detail").GetString(), sent.GetProperty("code").GetString(), sent.GetProperty("retry").GetString()));
        }
    }

    [Fact]
    public void The_catalog_has_every_problem()
    {
        var properties = typeof(IdempotencyProblem).GetProperties(BindingFlags.NonPublic | BindingFlags.Static).Where(property => property.PropertyType == typeof(IdempotencyProblem)).Select(property => (IdempotencyProblem)property.GetValue(null)!).ToList();
        Assert.NotEmpty(properties);
        Assert.Empty(properties.Except(IdempotencyProblem.All));
        Assert.Equal(
            [
                "idempotency-body-too-large", "idempotency-key-invalid", "idempotency-key-missing", "idempotency-key-reused", "idempotency-outcome-unknown", "idempotency-replay-forbidden",
                "idempotency-request-in-progress", "idempotency-response-unavailable", "idempotency-store-unavailable", "idempotency-transaction-conflict",
            ],
            IdempotencyProblem.All.Select(problem => problem.Code).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Without_the_services_it_says_which_call_is_missing()
    {
        using var services = new ServiceCollection().BuildServiceProvider();
        Assert.Contains("AddIdempotency()", Assert.Throws<InvalidOperationException>(() => IdempotencyEndpoint.Find(new Endpoint(null, null, "x"), "POST", services)).Message, StringComparison.Ordinal);
    }
}
