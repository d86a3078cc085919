using System.Net;
using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Constraints;
using Microsoft.AspNetCore.Routing.Patterns;

namespace Idempotency.AspNetCore.Dashboard.Tests;

/// <summary>An operator looks a request up, learns whether it ran and whether its key may be forgotten, and forgets it.</summary>
public sealed class RecordTests
{
    private static void MapBank(WebApplication app)
    {
        app.MapPost("/pay/{id}", static (string id, HttpContext context) =>
        {
            context.Response.Headers["X-Secret"] = "secret header";
            return Results.Text($"secret body of {id}", statusCode: 201);
        }).WithIdempotency();
        app.MapPost("/pay/large", static () => new string('x', 2000)).WithIdempotency(new IdempotencyPolicy { MaxResponseBodySize = 1000, Retention = TimeSpan.FromHours(2) });
    }

    private static string Text(JsonElement record, string name) => record.GetProperty(name).GetString()!;

    [Theory]
    [InlineData("""{"method":"POST","path":"/pay/1","key":"the key","issuer":"test","subject":"ann"}""")]
    [InlineData("""{"path":"pay/1","key":"\"the key\"","issuer":"test","subject":"ann"}""")]
    [InlineData("""{"method":" post ","path":" https://api.example/pay/1?delay=5#x","key":"the key","issuer":"test","subject":"ann"}""")]
    [InlineData("""{"path":"/pay/%31?x=1","key":"the key","issuer":"test","subject":"ann"}""")]
    public async Task A_request_is_found_by_what_its_client_knows(string query)
    {
        await using var site = await Site.StartAsync(MapBank);
        await site.PayAsync("/pay/1", key: "\"the key\"", user: "ann");
        site.Time.Advance(TimeSpan.FromMinutes(3));
        var record = await site.LookUpAsync(query);
        Assert.Equal(("completed", site.Store.LastKey.ToString()), (Text(record, "state"), Text(record, "storeKey")));
        Assert.Equal("Yes. The handler ran, and its response (201) is recorded. Retries get that response.", Text(record, "ran"));
        Assert.Equal(("no", "No, unless the operation must happen once more."), (Text(record, "mayForget"), Text(record, "forget")));
        Assert.StartsWith("The next request with this key runs the handler once more.", Text(record, "confirm"), StringComparison.Ordinal);
        Assert.Equal(1, record.GetProperty("attempt").GetInt32());
        Assert.Equal(180, record.GetProperty("completedSecondsAgo").GetDouble());
        Assert.Equal((24 * 3600) - 180, record.GetProperty("retentionSecondsLeft").GetDouble());
        var response = record.GetProperty("response");
        Assert.Equal(("secret body of 1".Length, 201), (response.GetProperty("bodySize").GetInt32(), response.GetProperty("status").GetInt32()));
        Assert.Contains("X-Secret", response.GetProperty("headers").EnumerateArray().Select(static name => name.GetString()));
        Assert.DoesNotContain("secret ", record.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("the key", record.ToString().Replace("the key was", "", StringComparison.Ordinal), StringComparison.Ordinal);
        var byStoredKey = await site.LookUpAsync(site.Store.LastKey);
        Assert.Equal(Text(record, "ran"), Text(byStoredKey, "ran"));
        Assert.False(byStoredKey.TryGetProperty("completedSecondsAgo", out _)); // whose policy is not known
    }

    [Fact]
    public async Task The_typed_key_is_in_no_log_and_in_no_response()
    {
        await using var site = await Site.StartAsync(MapBank);
        await site.PayAsync("/pay/1", key: "raw-key-of-ann");
        var record = await site.LookUpAsync("""{"path":"/pay/1","key":"raw-key-of-ann"}""");
        await site.ForgetAsync(site.Store.LastKey);
        Assert.DoesNotContain("raw-key-of-ann", record.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(site.Logs.Entries, static entry => entry.Text.Contains("raw-key-of-ann", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_route_whose_constraint_is_an_object_leaves_the_policy_open_and_breaks_nothing()
    {
        var pattern = RoutePatternFactory.Parse("/pay/{id}", defaults: null, parameterPolicies: new RouteValueDictionary { ["id"] = new IntRouteConstraint() });
        await using var site = await Site.StartAsync(app => app.Map(pattern, static () => "x").WithIdempotency());
        await site.PayAsync("/pay/1");
        Assert.Equal("completed", Text(await site.LookUpAsync("""{"path":"/pay/1","key":"key-1"}"""), "state"));
    }

    [Fact]
    public async Task Nothing_found_says_what_that_means()
    {
        await using var site = await Site.StartAsync(MapBank);
        var record = await site.LookUpAsync("""{"path":"/pay/1","key":"other"}""");
        Assert.Equal(("none", "nothing"), (Text(record, "state"), Text(record, "mayForget")));
        Assert.Equal("There is nothing to forget: a request with this key runs.", Text(record, "forget"));
        Assert.False((await site.ForgetAsync(site.Records.StoreKeyOf(new() { Method = "POST", Path = "/pay/1", Key = "other" }))).GetProperty("wasThere").GetBoolean());
        Assert.Equal(0, site.Logs.Count("RecordForgotten"));
    }

    [Fact]
    public async Task A_body_that_was_too_large_to_record_is_told_of()
    {
        await using var site = await Site.StartAsync(MapBank);
        await site.PayAsync("/pay/large");
        site.Time.Advance(TimeSpan.FromMinutes(30));
        var record = await site.LookUpAsync("""{"path":"/pay/large","key":"key-1"}""");
        Assert.Contains("too large to record", Text(record, "ran"), StringComparison.Ordinal);
        Assert.False(record.GetProperty("response").TryGetProperty("bodySize", out _));
        Assert.Equal(1800, record.GetProperty("completedSecondsAgo").GetDouble()); // by the policy of this route, and not of the one with a parameter
    }

    [Fact]
    public async Task A_running_request_must_not_be_forgotten()
    {
        var gate = new Gate();
        await using var site = await Site.StartAsync(app => app.MapPost("/slow", gate.PassAsync).WithIdempotency());
        var slow = site.PayAsync("/slow");
        await gate.ArrivedAsync();
        var record = await site.LookUpAsync("""{"path":"/slow","key":"key-1"}""");
        Assert.Equal(("in-progress", "no"), (Text(record, "state"), Text(record, "mayForget")));
        Assert.Equal(60, record.GetProperty("leaseSecondsLeft").GetDouble());
        Assert.Contains("still running", Text(record, "confirm"), StringComparison.Ordinal);
        gate.Open();
        await slow;
    }

    [Theory]
    [InlineData("/take", "abandoned", "runs-again", "no")]
    [InlineData("/refuse", "outcome-unknown", "rejected", "careful")]
    public async Task An_abandoned_request_is_judged_by_the_policy_of_its_endpoint(string path, string state, string next, string mayForget)
    {
        await using var site = await Site.StartAsync(
            static app =>
            {
                app.MapPost("/{any}", static () => "x").WithIdempotency();
                app.MapPut("/refuse", static () => "x").WithIdempotency();
                app.MapPost("/refuse", static () => "x").WithIdempotency(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse });
            },
            outer: static app => app.UsePathBase("/base"));
        var key = site.Records.StoreKeyOf(new() { Method = "POST", Path = "/base" + path, Key = "key-1" });
        await site.Store.Inner.ClaimAsync(key, new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = default, Attempt = 2, Lease = TimeSpan.FromSeconds(60), Retention = TimeSpan.FromHours(1) }, default);
        site.Time.Advance(TimeSpan.FromSeconds(100));
        using var response = await site.AskAsync("/base/idempotency/look-up", json: $$"""{"path":"/base{{path}}","key":"key-1"}""");
        var record = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal((state, next, mayForget), (Text(record, "state"), Text(record, "next"), Text(record, "mayForget")));
        Assert.Equal(-40, record.GetProperty("leaseSecondsLeft").GetDouble());
    }

    [Fact]
    public async Task A_function_and_an_unreadable_record_are_told_apart_from_responses()
    {
        await using var site = await Site.StartAsync(MapBank);
        await site.Services.GetRequiredService<IIdempotentExecutor>().ExecuteAsync("nightly", "today", static (_, _) => Task.FromResult("secret result"));
        var function = await site.LookUpAsync(site.Store.LastKey);
        Assert.StartsWith("Yes. The function ran", Text(function, "ran"), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", function.ToString(), StringComparison.Ordinal);
        var key = await site.DamageAsync(new StoreKey(Sha256Hash.Of("damaged"u8)));
        var damaged = await site.LookUpAsync(key);
        Assert.Equal(("unreadable", "careful"), (Text(damaged, "state"), Text(damaged, "mayForget")));
        Assert.True((await site.ForgetAsync(key)).GetProperty("wasThere").GetBoolean());
    }

    [Fact]
    public async Task What_is_forgotten_runs_again_and_the_log_names_the_operator_in_one_line()
    {
        await using var site = await Site.StartAsync(MapBank);
        await site.PayAsync("/pay/1");
        var key = site.Store.LastKey;
        using var forgotten = await site.AskAsync("/idempotency/forget", json: $$"""{"storeKey":"{{key}}"}""");
        Assert.Equal(HttpStatusCode.OK, forgotten.StatusCode);
        Assert.Null(await site.Records.FindAsync(key));
        Assert.Equal(HttpStatusCode.Created, await site.PayAsync("/pay/1"));
        var entry = Assert.Single(site.Logs.Entries, static entry => entry.Event == "RecordForgotten");
        Assert.Equal($"{key}: the record was forgotten by the operator 'operator'. It was completed; the next request with its key runs.", entry.Text);
    }

    [Fact]
    public async Task A_name_with_line_breaks_stays_in_its_line()
    {
        await using var site = await Site.StartAsync(MapBank, dashboard: static app =>
        {
            app.Use(static (context, next) =>
            {
                context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("name", "olga\r\n\u2028Injected: line")], "test"));
                return next(context);
            });
            app.MapIdempotencyDashboard("operators");
        });
        await site.PayAsync("/pay/1");
        await site.ForgetAsync(site.Store.LastKey);
        Assert.Contains("'olga   Injected: line'", Assert.Single(site.Logs.Entries, static entry => entry.Event == "RecordForgotten").Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("look-up", """{}""")]
    [InlineData("look-up", """{"path":"/pay/1"}""")]
    [InlineData("look-up", """{"key":"k"}""")]
    [InlineData("look-up", """{"path":"/pay/1","key":"a,b"}""")]
    [InlineData("look-up", """{"path":1,"key":"k"}""")]
    [InlineData("look-up", """{"storeKey":"0123"}""")]
    [InlineData("look-up", "[]")]
    [InlineData("look-up", "null")]
    [InlineData("look-up", "gibberish")]
    [InlineData("forget", """{}""")]
    [InlineData("forget", """{"path":"/pay/1","key":"k"}""")]
    public async Task What_names_no_record_is_400_with_a_reason(string path, string json)
    {
        await using var site = await Site.StartAsync(MapBank);
        using var response = await site.AskAsync($"/idempotency/{path}", json: json);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var detail = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("detail").GetString()!;
        Assert.NotEmpty(detail);
        Assert.DoesNotContain("Parameter", detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(HttpStatusCode.OK, "1", null, null)] // a program
    [InlineData(HttpStatusCode.OK, "1", "same-origin", null)]
    [InlineData(HttpStatusCode.OK, "1", "same-origin", "https://public.example")] // behind a proxy that changes the host; a browser does not lie about the site
    [InlineData(HttpStatusCode.OK, "1", null, "http://localhost")]
    [InlineData(HttpStatusCode.OK, "1", null, "https://LOCALHOST")] // behind a proxy that ends TLS
    [InlineData(HttpStatusCode.Forbidden, null, null, null)] // a form
    [InlineData(HttpStatusCode.Forbidden, null, "same-origin", null)]
    [InlineData(HttpStatusCode.Forbidden, "1", "cross-site", "https://evil.example")] // a script that a CORS policy of the application lets in
    [InlineData(HttpStatusCode.Forbidden, "1", "same-site", "https://evil.localhost")]
    [InlineData(HttpStatusCode.Forbidden, "1", "none", null)]
    [InlineData(HttpStatusCode.Forbidden, "1", null, "https://evil.example")]
    [InlineData(HttpStatusCode.Forbidden, "1", null, "http://localhost:8080")]
    [InlineData(HttpStatusCode.Forbidden, "1", null, "null")]
    public async Task Another_site_cannot_act_in_the_name_of_a_signed_in_operator(HttpStatusCode status, string? header, string? fetchSite, string? origin)
    {
        await using var site = await Site.StartAsync(MapBank);
        await site.PayAsync("/pay/1");
        foreach (var path in new[] { "look-up", "forget" })
        {
            using var response = await site.AskAsync($"/idempotency/{path}", json: $$"""{"storeKey":"{{site.Store.LastKey}}"}""", with: request =>
            {
                request.Headers.Remove("Idempotency-Dashboard");
                foreach (var (name, value) in new[] { ("Idempotency-Dashboard", header), ("Sec-Fetch-Site", fetchSite), ("Origin", origin) })
                {
                    if (value is not null)
                    {
                        request.Headers.Add(name, value);
                    }
                }
            });
            Assert.Equal(status, response.StatusCode);
        }

        Assert.Equal(status == HttpStatusCode.Forbidden, await site.Records.FindAsync(site.Store.LastKey) is not null);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    public async Task Only_JSON_is_read(string contentType)
    {
        await using var site = await Site.StartAsync(MapBank);
        using var response = await site.AskAsync("/idempotency/forget", method: HttpMethod.Post, with: request =>
        {
            request.Content = new StringContent("{}", Encoding.UTF8, contentType);
        });
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Fact]
    public async Task A_store_that_fails_is_503_and_says_nothing_of_its_exception()
    {
        await using var site = await Site.StartAsync(MapBank);
        site.Store.Before = static _ => throw new IOException("Password=secret");
        foreach (var path in new[] { "look-up", "forget" })
        {
            using var response = await site.AskAsync($"/idempotency/{path}", json: $$"""{"storeKey":"{{new string('0', 64)}}"}""");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.DoesNotContain("secret", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }
}
