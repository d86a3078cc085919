using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Tests;

/// <summary>An operator can look at a record, forget it and list what was abandoned; nobody else can.</summary>
public sealed class OperatorTests
{
    private static Task<Api> StartAsync(Action<WebApplication>? map = null, IdempotencyPolicy? policy = null) => Api.StartAsync(
        app =>
        {
            map?.Invoke(app);
            app.MapPost("/pay/{id}", (string id) => Results.Text($"secret of {id}", statusCode: 201)).WithIdempotency(policy ?? new());
            app.MapIdempotencyAdmin("operators");
        },
        services: services => services.AddAuthorization(options => options.AddPolicy("operators", policy => policy.RequireClaim("sub", "operator")))
            .AddAuthentication("none").AddScheme<AuthenticationSchemeOptions, Nobody>("none", null),
        outer: app =>
        {
            app.UseRouting();
            app.UseAuthorization();
        });

    private static Task<HttpResponseMessage> AskAsync(Api api, string path, HttpMethod? method = null, string? user = "operator") =>
        api.SendAsync(path, key: null, json: null, user: user, method: method ?? HttpMethod.Get);

    private static Task<HttpResponseMessage> SearchAsync(Api api, string json) => api.SendAsync("/idempotency/records/search", key: null, json: json, user: "operator");

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response)
    {
        using (response)
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal("no-store", response.Header("Cache-Control"));
            return JsonDocument.Parse(await response.TextAsync()).RootElement;
        }
    }

    [Fact]
    public async Task A_record_is_found_by_its_stored_key_and_by_what_a_client_knows()
    {
        await using var api = await StartAsync();
        using var first = await api.SendAsync("/pay/1", key: "\"the key\"", user: "ann");
        var storeKey = api.Store.LastKey.ToString();
        var record = await JsonAsync(await AskAsync(api, $"/idempotency/records/{storeKey}"));
        Assert.Equal("completed", record.GetProperty("status").GetString());
        Assert.Equal(storeKey, record.GetProperty("storeKey").GetString());
        Assert.Equal(1, record.GetProperty("attempt").GetInt32());
        Assert.Equal(24 * 3600, record.GetProperty("retentionSecondsLeft").GetDouble());
        Assert.False(record.TryGetProperty("leaseSecondsLeft", out _));
        var response = record.GetProperty("response");
        Assert.Equal(201, response.GetProperty("status").GetInt32());
        Assert.Equal("secret of 1".Length, response.GetProperty("bodySize").GetInt32());
        Assert.Contains("Content-Type", response.GetProperty("headers").EnumerateArray().Select(name => name.GetString()));
        Assert.DoesNotContain("secret", record.ToString(), StringComparison.Ordinal);
        foreach (var key in new[] { "the key", "\\\"the key\\\"" })
        {
            var named = await JsonAsync(await SearchAsync(api, $$"""{"method":"POST","path":"/pay/1","key":"{{key}}","issuer":"test","subject":"ann"}"""));
            Assert.Equal(storeKey, named.GetProperty("storeKey").GetString());
        }

        foreach (var other in new[]
        {
            """{"path":"/pay/1","key":"the key"}""",
            """{"path":"/pay/2","key":"the key","issuer":"test","subject":"ann"}""",
            """{"path":"/pay/1","key":"other","issuer":"test","subject":"ann"}""",
            """{"method":"PUT","path":"/pay/1","key":"the key","issuer":"test","subject":"ann"}""",
        })
        {
            using var none = await SearchAsync(api, other);
            Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
        }
    }

    [Fact]
    public async Task Anonymous_callers_and_partitions_of_a_policy_are_named_too()
    {
        await using (var shared = await StartAsync())
        {
            using var first = await shared.SendAsync("/pay/1", key: "k");
            await JsonAsync(await SearchAsync(shared, """{"path":"/pay/1","key":"k"}"""));
            Assert.DoesNotContain(shared.Logs.Entries, entry => entry.Text.Contains("key=k", StringComparison.Ordinal));
        }

        await using var api = await StartAsync(policy: new IdempotencyPolicy { Partition = _ => "tenant" });
        using var second = await api.SendAsync("/pay/1", key: "k");
        await JsonAsync(await SearchAsync(api, """{"path":"/pay/1","key":"k","partition":"tenant"}"""));
    }

    [Fact]
    public async Task What_is_forgotten_runs_again_also_where_it_was_cached()
    {
        await using var api = await StartAsync();
        using var first = await api.SendAsync("/pay/1");
        using var replay = await api.SendAsync("/pay/1");
        Assert.True(replay.IsReplay());
        var path = $"/idempotency/records/{api.Store.LastKey}";
        using var forgotten = await AskAsync(api, path, HttpMethod.Delete);
        Assert.Equal(HttpStatusCode.NoContent, forgotten.StatusCode);
        using var gone = await AskAsync(api, path, HttpMethod.Delete);
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        using var anew = await api.SendAsync("/pay/1");
        Assert.False(anew.IsReplay());
    }

    [Fact]
    public async Task Running_and_abandoned_claims_are_told_apart_and_the_latter_listed()
    {
        var gate = new Gate();
        await using var api = await StartAsync(app => app.MapPost("/slow", async () => { await gate.PassAsync(); return "x"; }).WithIdempotency());
        using var done = await api.SendAsync("/pay/1");
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var slow = api.SendAsync("/slow");
        await gate.ArrivedAsync();
        var storeKey = api.Store.LastKey.ToString();
        var running = await JsonAsync(await AskAsync(api, $"/idempotency/records/{storeKey}"));
        Assert.Equal("in-progress", running.GetProperty("status").GetString());
        Assert.Equal(60, running.GetProperty("leaseSecondsLeft").GetDouble());
        var records = api.Services.GetRequiredService<IIdempotencyRecords>();
        Assert.False(records.CanListAbandoned); // the tests' own store cannot
        using var unable = await AskAsync(api, "/idempotency/abandoned");
        Assert.Equal(HttpStatusCode.NotImplemented, unable.StatusCode);
        Assert.Throws<NotSupportedException>(() => records.ListAbandonedAsync());

        api.Time.Advance(TimeSpan.FromSeconds(100));
        var abandoned = await JsonAsync(await AskAsync(api, $"/idempotency/records/{storeKey}"));
        Assert.Equal("abandoned", abandoned.GetProperty("status").GetString());
        Assert.Equal(-40, abandoned.GetProperty("leaseSecondsLeft").GetDouble());
        var listed = new List<AbandonedClaim>();
        await foreach (var claim in api.Store.Inner.ListAbandonedAsync(default))
        {
            listed.Add(claim);
        }

        Assert.Equal([new AbandonedClaim(api.Services.GetRequiredService<IIdempotencyRecords>().StoreKeyOf(new() { Method = "POST", Path = "/slow", Key = "key-1" }), 1, TimeSpan.FromSeconds(40))], listed);
        using var forgotten = await AskAsync(api, $"/idempotency/records/{storeKey}", HttpMethod.Delete);
        Assert.Equal(HttpStatusCode.NoContent, forgotten.StatusCode);
        gate.Open();
        using var late = await slow;
        Assert.Equal(HttpStatusCode.OK, late.StatusCode);
    }

    [Fact]
    public async Task The_claims_that_a_server_holds_are_listed_the_longest_running_first()
    {
        var gate = new Gate();
        await using var api = await StartAsync(app =>
        {
            app.MapPost("/slow", gate.PassAsync).WithIdempotency();
            app.MapPost("/slower", gate.PassAsync).WithIdempotency(new IdempotencyPolicy { ClaimDuration = TimeSpan.FromMinutes(5) });
        });
        var slower = api.SendAsync("/slower");
        await gate.ArrivedAsync();
        var first = api.Store.LastKey;
        api.Time.Advance(TimeSpan.FromSeconds(9));
        var slow = api.SendAsync("/slow");
        await gate.ArrivedAsync();
        var second = api.Store.LastKey;
        api.Time.Advance(TimeSpan.FromSeconds(6));
        var running = await JsonAsync(await AskAsync(api, "/idempotency/running"));
        Assert.True(running.GetProperty("isComplete").GetBoolean());
        Assert.Equal(
            [(first.ToString(), 15, 300, 285), (second.ToString(), 6, 60, 54)],
            running.GetProperty("running").EnumerateArray().Select(claim =>
                (claim.GetProperty("storeKey").GetString()!, claim.GetProperty("secondsRunning").GetDouble(), claim.GetProperty("leaseSeconds").GetDouble(), claim.GetProperty("leaseSecondsLeft").GetDouble())));
        var cut = await JsonAsync(await AskAsync(api, "/idempotency/running?limit=1"));
        Assert.Equal((1, false), (cut.GetProperty("running").GetArrayLength(), cut.GetProperty("isComplete").GetBoolean()));
        using var refused = await AskAsync(api, "/idempotency/running?limit=0");
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        gate.Open();
        (await slow).Dispose();
        (await slower).Dispose();
        Assert.Empty(api.Services.GetRequiredService<IIdempotencyRecords>().ListRunning());
    }

    [Fact]
    public async Task What_a_person_should_look_at_is_listed_until_the_record_is_forgotten()
    {
        await using var api = await StartAsync(app => app.MapPost("/effects", async (IIdempotentRun run) =>
        {
            await run.MarkEffectsStartedAsync();
            return Results.StatusCode(500);
        }).WithIdempotency());
        (await api.SendAsync("/pay/1")).Dispose();
        (await api.SendAsync("/pay/1")).Dispose();
        Assert.Empty((await JsonAsync(await AskAsync(api, "/idempotency/incidents"))).GetProperty("incidents").EnumerateArray());
        (await api.SendAsync("/effects")).Dispose();
        var seen = api.Time.GetUtcNow();
        api.Time.Advance(TimeSpan.FromSeconds(5));
        (await api.SendAsync("/effects")).Dispose(); // rejected, because of the same record
        var key = api.Store.LastKey;
        var incident = Assert.Single((await JsonAsync(await AskAsync(api, "/idempotency/incidents"))).GetProperty("incidents").EnumerateArray());
        Assert.Equal(("outcome-unknown", key.ToString(), 2), (incident.GetProperty("kind").GetString(), incident.GetProperty("storeKey").GetString(), incident.GetProperty("count").GetInt32()));
        Assert.Equal((seen, seen.AddSeconds(5)), (incident.GetProperty("firstAt").GetDateTimeOffset(), incident.GetProperty("lastAt").GetDateTimeOffset()));
        Assert.True((await JsonAsync(await AskAsync(api, $"/idempotency/records/{key}"))).GetProperty("effectsStarted").GetBoolean());
        using var forgotten = await AskAsync(api, $"/idempotency/records/{key}", HttpMethod.Delete);
        Assert.Empty((await JsonAsync(await AskAsync(api, "/idempotency/incidents"))).GetProperty("incidents").EnumerateArray());
    }

    [Fact]
    public void Incidents_take_bounded_memory_and_the_latest_stay()
    {
        var time = new FakeTimeProvider();
        var incidents = new Incidents(time);
        static StoreKey Key(int i) => new(Sha256Hash.Of(BitConverter.GetBytes(i)));
        for (var i = 0; i < 300; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            incidents.Add(IdempotencyIncidentKind.RecordUnreadable, Key(i));
            incidents.Add(IdempotencyIncidentKind.RecordUnreadable, Key(0)); // a client that retries and retries
        }

        var listed = incidents.List();
        Assert.Equal(Incidents.Most, listed.Count);
        Assert.Equal(301, listed.Single(incident => incident.StoreKey == Key(0)).Count);
        Assert.Contains(listed, incident => incident.StoreKey == Key(299));
        Assert.DoesNotContain(listed, incident => incident.StoreKey == Key(1));
    }

    [Fact]
    public async Task The_list_of_the_in_memory_store_is_bounded_and_says_so()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        var time = new FakeTimeProvider();
        builder.WebHost.UseKestrel(server => server.Listen(IPAddress.Loopback, 0));
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddIdempotency();
        builder.Services.AddAuthorization(options => options.AddPolicy("anyone", policy => policy.RequireAssertion(_ => true)));
        await using var app = builder.Build();
        app.UseAuthorization();
        app.MapIdempotencyAdmin("anyone", "/ops");
        await app.StartAsync();
        var store = app.Services.GetRequiredService<IIdempotencyStore>();
        for (var i = 0; i < 120; i++)
        {
            await store.ClaimAsync(new StoreKey(Sha256Hash.Of([(byte)i])), new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = default, Attempt = 2, Lease = TimeSpan.FromSeconds(1), Retention = TimeSpan.FromHours(1) }, default);
        }

        time.Advance(TimeSpan.FromSeconds(3));
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
        foreach (var (query, count, isComplete) in new[] { ("", 100, false), ("?limit=7", 7, false), ("?limit=120", 120, true), ("?limit=500", 120, true) })
        {
            using var list = JsonDocument.Parse(await client.GetStringAsync("/ops/abandoned" + query));
            Assert.Equal(count, list.RootElement.GetProperty("abandoned").GetArrayLength());
            Assert.Equal(isComplete, list.RootElement.GetProperty("isComplete").GetBoolean());
            Assert.Equal(2, list.RootElement.GetProperty("abandoned")[0].GetProperty("secondsSinceLeaseEnd").GetDouble());
        }

        foreach (var wrong in new[] { "?limit=0", "?limit=x", "?limit=10001", "?limit=-1" })
        {
            using var refused = await client.GetAsync("/ops/abandoned" + wrong);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }
    }

    [Theory]
    [InlineData("/idempotency/records/xyz", null)]
    [InlineData("/idempotency/records/0123", null)]
    [InlineData("/idempotency/records/search", """{"key":"k"}""")]
    [InlineData("/idempotency/records/search", """{"path":"/pay/1"}""")]
    [InlineData("/idempotency/records/search", """{"path":"/pay/1","key":"a,b"}""")]
    [InlineData("/idempotency/records/search", """{"path":"","key":"k"}""")]
    [InlineData("/idempotency/records/search", """{"path":1,"key":"k"}""")]
    [InlineData("/idempotency/records/search", "[]")]
    [InlineData("/idempotency/records/search", "gibberish")]
    public async Task A_name_that_names_nothing_is_400(string path, string? search)
    {
        await using var api = await StartAsync();
        using var response = search is null ? await AskAsync(api, path) : await SearchAsync(api, search);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.ToString());
    }

    [Fact]
    public async Task An_anonymous_group_around_them_opens_nothing()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/pay", () => "x").WithIdempotency();
                app.MapGroup("/internal").AllowAnonymous().MapIdempotencyAdmin("operators");
            },
            services: services => services.AddAuthorization(options => options.AddPolicy("operators", policy => policy.RequireClaim("sub", "operator")))
                .AddAuthentication("none").AddScheme<AuthenticationSchemeOptions, Nobody>("none", null),
            outer: app =>
            {
                app.UseRouting();
                app.UseAuthorization();
            });
        using var first = await api.SendAsync("/pay");
        using var refused = await AskAsync(api, $"/internal/idempotency/records/{api.Store.LastKey}", HttpMethod.Delete, user: null);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        using var allowed = await AskAsync(api, $"/internal/idempotency/records/{api.Store.LastKey}", HttpMethod.Delete);
        Assert.Equal(HttpStatusCode.NoContent, allowed.StatusCode);
    }

    [Fact]
    public async Task What_is_forgotten_while_it_is_being_replayed_is_forgotten()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency());
        using var first = await api.SendAsync();
        api.CompletedRecords.Remove(api.Store.LastKey);
        var gate = new Gate();
        api.Store.AfterAsync = operation => operation == "claim" ? gate.PassAsync() : Task.CompletedTask;
        var replay = api.SendAsync();
        await gate.ArrivedAsync();
        Assert.True(await api.Services.GetRequiredService<IIdempotencyRecords>().ForgetAsync(api.Store.LastKey));
        gate.Open();
        using var replayed = await replay;
        api.Store.AfterAsync = null;
        using var next = await api.SendAsync();
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task After_a_delete_a_response_that_could_not_be_recorded_does_not_replace_the_one_that_was()
    {
        var runs = 0;
        await using var api = await StartAsync(app => app.MapPost("/", () => $"{Interlocked.Increment(ref runs)}").WithIdempotency());
        var isAway = true;
        api.Store.Before = operation => operation is "complete" && Volatile.Read(ref isAway) ? throw new IOException("away") : Task.CompletedTask;
        var first = api.SendAsync();
        await Eventually.TrueAsync(() => api.Store.Calls("complete") > 0, "the first completion");
        api.Time.Advance(TimeSpan.FromSeconds(25)); // the claim is renewed, and so lasts longer than the first request tries
        await Eventually.TrueAsync(() => api.Store.Calls("renew") > 0, "the renewal");
        Assert.True(await api.Services.GetRequiredService<IIdempotencyRecords>().ForgetAsync(api.Store.LastKey));
        Volatile.Write(ref isAway, false);
        using var second = await api.SendAsync();
        Assert.Equal("2", await second.TextAsync());

        api.Store.Before = operation => operation is "complete" or "read" ? throw new IOException("away") : Task.CompletedTask;
        await api.Time.PassUntilDoneAsync(first, "giving up");
        using var answer = await first;
        Assert.Equal(("1", "false"), (await answer.TextAsync(), answer.Header("Idempotency-Stored")));
        api.Store.Before = null;
        using var retry = await api.SendAsync();
        Assert.True(retry.IsReplay());
        Assert.Equal("2", await retry.TextAsync());
    }

    [Fact]
    public async Task A_damaged_record_is_not_shown_as_a_healthy_one()
    {
        await using var api = await StartAsync();
        var records = api.Services.GetRequiredService<IIdempotencyRecords>();
        var key = records.StoreKeyOf(new() { Method = "POST", Path = "/pay/1", Key = "key-1" });
        var claim = new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = default, Attempt = 1, Lease = TimeSpan.FromMinutes(1), Retention = TimeSpan.FromHours(1) };
        await api.Store.Inner.ClaimAsync(key, claim, default);
        await api.Store.Inner.CompleteAsync(key, claim.Owner, new byte[] { 1, 2, 3 }, TimeSpan.FromHours(1), default);
        await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(() => records.FindAsync(key));
        using var told = await AskAsync(api, $"/idempotency/records/{key}");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, told.StatusCode);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("ann")]
    public async Task Nobody_else_gets_in(string? user)
    {
        await using var api = await StartAsync();
        using var first = await api.SendAsync("/pay/1");
        var key = api.Store.LastKey;
        (HttpMethod Method, string Path)[] endpoints =
        [
            (HttpMethod.Get, $"/idempotency/records/{key}"),
            (HttpMethod.Delete, $"/idempotency/records/{key}"),
            (HttpMethod.Post, "/idempotency/records/search"),
            (HttpMethod.Get, "/idempotency/abandoned"),
            (HttpMethod.Get, "/idempotency/running"),
            (HttpMethod.Get, "/idempotency/incidents"),
        ];
        foreach (var (method, path) in endpoints)
        {
            using var refused = await AskAsync(api, path, method, user);
            Assert.True(refused.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, $"{path}: {refused.StatusCode}");
        }

        using var replay = await api.SendAsync("/pay/1");
        Assert.True(replay.IsReplay());
    }

    [Fact]
    public async Task A_record_that_cannot_be_read_is_told_of_and_can_be_forgotten()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => "x").WithIdempotency(),
            services: services => services.AddIdempotency().ProtectResponses());
        var records = api.Services.GetRequiredService<IIdempotencyRecords>();
        var key = records.StoreKeyOf(new() { Method = "POST", Path = "/", Key = "key-1" });
        var claim = new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = default, Attempt = 1, Lease = TimeSpan.FromMinutes(1), Retention = TimeSpan.FromHours(1) };
        await api.Store.Inner.ClaimAsync(key, claim, default);
        await api.Store.Inner.CompleteAsync(key, claim.Owner, "gibberish"u8.ToArray(), TimeSpan.FromHours(1), default);
        await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(() => records.FindAsync(key));
        Assert.True(await records.ForgetAsync(key));
        Assert.Null(await records.FindAsync(key));
        using var first = await api.SendAsync();
        Assert.Equal("x", await first.TextAsync());
        Assert.NotNull(await records.FindAsync(key));
    }

    [Fact]
    public async Task Without_its_services_it_says_which_call_is_missing()
    {
        await using var bare = WebApplication.CreateBuilder().Build();
        Assert.Contains("AddIdempotency()", Assert.Throws<InvalidOperationException>(() => bare.MapIdempotencyAdmin("operators")).Message, StringComparison.Ordinal);
        var builder = WebApplication.CreateBuilder();
        builder.Services.AddIdempotency();
        await using var open = builder.Build();
        Assert.Contains("AddAuthorization()", Assert.Throws<InvalidOperationException>(() => open.MapIdempotencyAdmin("operators")).Message, StringComparison.Ordinal);
    }

    private sealed class Nobody(Microsoft.Extensions.Options.IOptionsMonitor<AuthenticationSchemeOptions> options, Microsoft.Extensions.Logging.ILoggerFactory logger, System.Text.Encodings.Web.UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(AuthenticateResult.NoResult());
    }
}
