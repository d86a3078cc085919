using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Routing;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Taking it in: who takes part, by which policy, and what is wrong is said at start-up.</summary>
public sealed class SetupTests
{
    private static IdempotencyOptions Read(string json)
    {
        var configuration = new ConfigurationBuilder().AddJsonStream(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(json))).Build();
        var services = new ServiceCollection();
        services.AddIdempotency(configuration.GetSection("Idempotency"));
        return services.BuildServiceProvider().GetRequiredService<IOptions<IdempotencyOptions>>().Value;
    }

    [Fact]
    public void Everything_that_is_data_binds_from_configuration()
    {
        var options = Read("""
            { "Idempotency": {
              "Enabled": false, "LocalCacheMaxEntries": 5, "LocalCacheMaxBytes": 6,
              "DefaultPolicy": {
                "KeySource": "HeaderOrBody", "KeyRequired": false, "FingerprintHeaders": ["X-Api-Version"], "Methods": ["POST", "GET"], "HeaderName": "X-Key", "Fingerprint": "Raw", "Retention": "01:00:00",
                "ClaimDuration": "00:00:05", "WhenInProgress": "Wait", "WaitTimeout": "00:00:07", "WhenAbandoned": "Refuse",
                "WhenStoreUnavailable": "Execute", "MaxRequestBodySize": 8, "MaxResponseBodySize": 9, "CompleteAfterDisconnect": false,
                "ReplayFlagName": "again", "EmitETag": false, "AnswerNotModified": false, "ClientCaching": true, "ExcludedHeaders": ["X-A", "X-B"] },
              "Policies": { "payments": { "Retention": "7.00:00:00" }, "plain": { "ReplayFlagName": null } } } }
            """);
        Assert.False(options.Enabled);
        Assert.Equal((5, 6), (options.LocalCacheMaxEntries, options.LocalCacheMaxBytes));
        var policy = options.DefaultPolicy;
        Assert.Equal(
            new IdempotencyPolicy
            {
                KeySource = IdempotencyKeySource.HeaderOrBody,
                KeyRequired = false,
                HeaderName = "X-Key",
                FingerprintHeaders = policy.FingerprintHeaders,
                Methods = policy.Methods,
                Fingerprint = RequestFingerprintMode.Raw,
                Retention = TimeSpan.FromHours(1),
                ClaimDuration = TimeSpan.FromSeconds(5),
                WhenInProgress = InProgressBehavior.Wait,
                WaitTimeout = TimeSpan.FromSeconds(7),
                WhenAbandoned = AbandonedBehavior.Refuse,
                WhenStoreUnavailable = StoreUnavailableBehavior.Execute,
                MaxRequestBodySize = 8,
                MaxResponseBodySize = 9,
                CompleteAfterDisconnect = false,
                ReplayFlagName = "again",
                EmitETag = false,
                AnswerNotModified = false,
                ClientCaching = true,
                ExcludedHeaders = policy.ExcludedHeaders,
            },
            policy);
        Assert.Equal(["X-A", "X-B"], policy.ExcludedHeaders);
        Assert.Equal(["X-Api-Version"], policy.FingerprintHeaders);
        Assert.Equal(["POST", "GET"], policy.Methods);
        Assert.Equal(policy with { Retention = TimeSpan.FromDays(7) }, options.Policies["payments"]);
        Assert.Null(options.Policies["plain"].ReplayFlagName);
    }

    [Fact]
    public async Task A_store_that_the_application_makes_itself_is_used_and_made_once()
    {
        var made = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => "x").WithIdempotency(),
            services: services => services.AddIdempotency().AddStore(services =>
            {
                made++;
                return new ObservedStore(services.GetRequiredService<InMemoryIdempotencyStore>()) { CompressionThreshold = 7 };
            }));
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal((1, 7), (made, api.Store.CompressionThreshold));
        Assert.Equal(1, api.Store.Calls("complete"));
    }

    [Fact]
    public void A_function_that_makes_no_store_fails_with_its_name()
    {
        var services = new ServiceCollection();
        services.AddIdempotency().AddStore(_ => null!);
        using var provider = services.BuildServiceProvider();
        Assert.Contains("AddStore(...)", Assert.Throws<InvalidOperationException>(() => provider.GetRequiredService<IIdempotencyStore>()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_frameworks_binder_works_too()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([
            new("DefaultPolicy:Retention", "01:00:00"),
            new("Policies:a:KeySource", "Body"),
            new("Policies:a:ExcludedHeaders:0", "X-A"),
            new("Policies:a:FingerprintHeaders:0", "X-B"),
            new("Policies:a:Methods:0", "PUT"),
        ]).Build();
        var services = new ServiceCollection();
        services.AddIdempotency();
        services.Configure<IdempotencyOptions>(configuration);
        var options = services.BuildServiceProvider().GetRequiredService<IOptions<IdempotencyOptions>>().Value;
        Assert.Equal(TimeSpan.FromHours(1), options.DefaultPolicy.Retention);
        Assert.Equal(IdempotencyKeySource.Body, options.Policies["a"].KeySource);
        Assert.Equal(["X-A"], options.Policies["a"].ExcludedHeaders);
        Assert.Equal(["X-B"], options.Policies["A"].FingerprintHeaders);
        Assert.Equal(["PUT"], options.Policies["A"].Methods);
    }

    [Theory]
    [InlineData("""{ "Idempotency": { "DefaultPolicy": { "Retenion": "01:00:00" } } }""", "Idempotency:DefaultPolicy:Retenion", "Retention")]
    [InlineData("""{ "Idempotency": { "Policy": {} } }""", "Idempotency:Policy", "DefaultPolicy")]
    [InlineData("""{ "Idempotency": { "DefaultPolicy": { "Retention": "24" } } }""", "Idempotency:DefaultPolicy:Retention", "00:01:00")]
    [InlineData("""{ "Idempotency": { "DefaultPolicy": { "Retention": "24:00:00" } } }""", "24:00:00", "1.00:00:00")]
    [InlineData("""{ "Idempotency": { "DefaultPolicy": "strict" } }""", "strict", "a section")]
    [InlineData("""{ "Idempotency": { "Policies": { "a": "strict" } } }""", "Idempotency:Policies:a", "a section")]
    [InlineData("""{ "Idempotency": { "DefaultPolicy": { "ExcludedHeaders": "X-Secret" } } }""", "X-Secret", "a list")]
    [InlineData("""{ "Idempotency": { "LocalCacheMaxEntries": -3000000000 } }""", "-3000000000", "whole number")]
    [InlineData("""{ "Idempotency": { "DefaultPolicy": { "KeySource": "Cookie" } } }""", "Cookie", "HeaderOrBody")]
    [InlineData("""{ "Idempotency": { "DefaultPolicy": { "KeyRequired": "yes" } } }""", "yes", "true or false")]
    [InlineData("""{ "Idempotency": { "LocalCacheMaxEntries": "many" } }""", "many", "whole number")]
    public void A_setting_that_makes_no_sense_is_named_with_what_would(string json, string named, string remedy)
    {
        var failure = Assert.Throws<InvalidOperationException>(() => Read(json));
        Assert.Contains(named, failure.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, failure.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, IdempotencyPolicy> Invalid() => new()
    {
        { "Retention", new() { Retention = TimeSpan.Zero } },
        { "Retention", new() { Retention = TimeSpan.MaxValue } },
        { "ClaimDuration", new() { ClaimDuration = TimeSpan.FromSeconds(-1) } },
        { "WaitTimeout", new() { WaitTimeout = TimeSpan.FromDays(2) } },
        { "MaxRequestBodySize", new() { MaxRequestBodySize = -1 } },
        { "MaxResponseBodySize", new() { MaxResponseBodySize = long.MaxValue } },
        { "HeaderName", new() { HeaderName = "Idempotency Key" } },
        { "HeaderName", new() { HeaderName = "" } },
        { "ReplayFlagName", new() { ReplayFlagName = "" } },
        { "ExcludedHeaders", new() { ExcludedHeaders = ["a:b"] } },
        { "FingerprintHeaders", new() { FingerprintHeaders = ["a b"] } },
        { "FingerprintHeaders", new() { FingerprintHeaders = null! } },
        { "Methods", new() { Methods = [] } },
        { "Methods", new() { Methods = ["POST, PUT"] } },
        { "enum", new() { KeySource = (IdempotencyKeySource)9 } },
    };

    [Theory]
    [MemberData(nameof(Invalid))]
    public async Task A_policy_out_of_bounds_fails_at_start_up_wherever_it_stands(string named, IdempotencyPolicy policy)
    {
        var asDefault = await Assert.ThrowsAsync<OptionsValidationException>(() => Api.StartAsync(_ => { }, options => options.DefaultPolicy = policy));
        var asNamed = await Assert.ThrowsAsync<OptionsValidationException>(() => Api.StartAsync(_ => { }, options => options.AddPolicy("a", policy)));
        var onEndpoint = await Assert.ThrowsAsync<InvalidOperationException>(() => Api.StartAsync(app => app.MapPost("/pay", () => 1).WithIdempotency(policy)));
        Assert.Contains(named, asDefault.Message, StringComparison.Ordinal);
        Assert.Contains("'a'", asNamed.Message, StringComparison.Ordinal);
        Assert.Contains("/pay", onEndpoint.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_policy_name_fails_at_start_up()
    {
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => Api.StartAsync(app =>
        {
            app.MapPost("/a", () => 1).WithIdempotency("unknown");
            app.MapPost("/b", [Idempotent("missing")] () => 1);
        }));
        Assert.Contains("/a", failure.Message, StringComparison.Ordinal);
        Assert.Contains("'unknown', which is not registered", failure.Message, StringComparison.Ordinal);
        Assert.Contains("options.AddPolicy(\"missing\"", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Policy_names_are_not_case_sensitive()
    {
        var options = Read("""{ "Idempotency": { "Policies": { "Payments": { "Retention": "01:00:00" } } } }""");
        Assert.Equal(TimeSpan.FromHours(1), options.Policies["payments"].Retention);
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/call", () => "x").WithIdempotency("payments");
                app.MapPost("/attribute", [Idempotent("PAYMENTS")] () => "x");
                app.MapPost("/function", (IIdempotentExecutor executor) => executor.ExecuteAsync("operation", "key", (_, _) => Task.FromResult("x"), new() { PolicyName = "pAyments" }));
            },
            options => options.AddPolicy("Payments", new IdempotencyPolicy { ClientCaching = true, Retention = TimeSpan.FromSeconds(7) }));
        foreach (var path in new[] { "/call", "/attribute" })
        {
            using var response = await api.SendAsync(path);
            Assert.Contains("max-age=7", response.Header("Cache-Control"), StringComparison.Ordinal);
        }

        using var function = await api.SendAsync("/function");
        Assert.Equal("x", await function.TextAsync());
    }

    [Fact]
    public async Task The_same_name_twice_is_an_error()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Api.StartAsync(_ => { }, options => options.AddPolicy("a", new()).AddPolicy("A", new())));
        await Assert.ThrowsAsync<ArgumentException>(() => Api.StartAsync(_ => { }, options => options.AddPolicy("a", new()).AddPolicy("a", new())));
    }

    [Fact]
    public async Task A_protected_endpoint_without_the_middleware_fails_at_start_up()
    {
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => StartBareAsync(builder => builder.Services.AddIdempotency(), app => app.MapPost("/", () => 1).WithIdempotency()));
        Assert.Contains("app.UseIdempotency()", failure.Message, StringComparison.Ordinal);
        await (await StartBareAsync(builder => builder.Services.AddIdempotency(), app => app.MapPost("/", () => 1).WithIdempotency().DisableIdempotency())).DisposeAsync();
    }

    [Fact]
    public async Task Without_its_services_it_says_which_call_is_missing()
    {
        var use = await Assert.ThrowsAsync<InvalidOperationException>(() => StartBareAsync(_ => { }, app => app.UseIdempotency()));
        Assert.Contains("AddIdempotency()", use.Message, StringComparison.Ordinal);
        new ServiceCollection().AddIdempotency(); // another application in the process; without one, the mapping already fails
        await using var app = await StartBareAsync(_ => { }, app => app.MapPost("/", () => 1).WithIdempotency());
        var with = await Assert.ThrowsAsync<InvalidOperationException>(() => app.GetTestClient().PostAsync("/", null));
        Assert.Contains("AddIdempotency()", with.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("UseRouting()")]
    [InlineData("UseAuthentication()")]
    [InlineData("UseAuthorization()")]
    public async Task A_middleware_that_must_come_before_and_comes_after_fails_at_start_up(string late)
    {
        void Services(WebApplicationBuilder builder)
        {
            builder.Services.AddIdempotency();
            builder.Services.AddAuthorization();
            builder.Services.AddAuthentication("header").AddScheme<AuthenticationSchemeOptions, HeaderAuthentication>("header", null);
        }

        void Use(IApplicationBuilder app)
        {
            _ = late switch { "UseRouting()" => app.UseRouting(), "UseAuthentication()" => app.UseAuthentication(), _ => app.UseAuthorization() };
        }

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => StartBareAsync(Services, app =>
        {
            app.UseIdempotency();
            Use(app);
            app.MapPost("/", () => 1).WithIdempotency();
        }));
        Assert.Contains($"UseIdempotency() is called before {late}", failure.Message, StringComparison.Ordinal);
        await (await StartBareAsync(Services, app =>
        {
            Use(app);
            app.UseIdempotency();
            app.MapPost("/", () => 1).WithIdempotency();
        })).DisposeAsync();
    }

    [Fact]
    public async Task A_classic_host_with_a_startup_pipeline_is_checked_too()
    {
        static IHostBuilder Host(Action<IApplicationBuilder> configure) => new HostBuilder().ConfigureWebHost(web => web.UseTestServer()
            .ConfigureServices(services => services.AddRouting().AddIdempotency())
            .Configure(configure));
        using var host = await Host(app => app.UseRouting().UseIdempotency().UseEndpoints(endpoints => endpoints.MapPost("/", () => "x").WithIdempotency())).StartAsync();
        using var client = host.GetTestClient();
        using var first = await client.SendAsync(Api.Request());
        using var replay = await client.SendAsync(Api.Request());
        Assert.True(replay.IsReplay());
        var wrongOrder = await Assert.ThrowsAsync<InvalidOperationException>(() => Host(app => app.UseIdempotency().UseRouting().UseEndpoints(endpoints => endpoints.MapPost("/", () => "x").WithIdempotency())).StartAsync());
        Assert.Contains("UseRouting()", wrongOrder.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => Host(app => app.UseRouting().UseEndpoints(endpoints => endpoints.MapPost("/", () => "x").WithIdempotency())).StartAsync());
    }

    public static TheoryData<string, Action<WebApplication>> Unseen() => new()
    {
        { "after the endpoints", app => { app.UseRouting(); app.MapPost("/x", () => "ran").WithIdempotency(); app.UseEndpoints(_ => { }); app.UseIdempotency(); } },
        { "short-circuited", app => { app.UseIdempotency(); app.MapPost("/x", () => "ran").WithIdempotency().ShortCircuit(); } },
        { "an attribute, short-circuited", app => { app.UseIdempotency(); app.MapPost("/x", [Idempotent] () => "ran").ShortCircuit(); } },
        { "in another branch", app => { app.UseWhen(context => context.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal), branch => branch.UseIdempotency()); app.MapPost("/x", () => "ran").WithIdempotency(); } },
        { "on a host of its own", app => { app.MapPost("/x", () => "ran").WithIdempotency().RequireHost("localhost").ShortCircuit(); app.MapPost("/x", () => "other").RequireHost("other"); app.UseIdempotency(); } },
        { "beside another method and a catch-all", app => { app.UseIdempotency(); app.MapGet("/x", () => "read"); app.MapPost("/{**rest}", () => "rest"); app.MapPost("/x", () => "ran").WithIdempotency().ShortCircuit(); } },
        { "a fallback", app => { app.UseIdempotency(); app.MapFallback(() => "ran").WithIdempotency().ShortCircuit(); } },
        { "routed again in a branch", app => { app.UseIdempotency(); app.Map("/x", branch => { branch.UseRouting(); branch.UseEndpoints(endpoints => endpoints.MapPost("", () => "ran").WithIdempotency()); }); } },
    };

    [Theory]
    [MemberData(nameof(Unseen))]
    public async Task An_endpoint_the_middleware_has_not_seen_is_an_error_and_does_not_run(string place, Action<WebApplication> map)
    {
        await using var app = await StartBareAsync(builder => builder.Services.AddIdempotency(), map);
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => app.GetTestClient().SendAsync(Api.Request("/x")));
        Assert.True(failure.Message.Contains("app.UseIdempotency()", StringComparison.Ordinal), place);
    }

    [Theory]
    [InlineData("/seen/x", true)]
    [InlineData("/unseen/x", false)]
    public async Task A_controller_that_is_found_at_request_time_is_protected_or_does_not_run(string path, bool isSeen)
    {
        await using var app = await StartBareAsync(
            builder =>
            {
                builder.Services.AddIdempotency(options => options.AddPolicy("exact", new()));
                builder.Services.AddSingleton<ToFoundController>();
                builder.Services.AddControllers().AddApplicationPart(typeof(SetupTests).Assembly);
            },
            app =>
            {
                app.UseWhen(context => context.Request.Path.StartsWithSegments("/seen", StringComparison.Ordinal), branch => branch.UseIdempotency());
                app.MapDynamicControllerRoute<ToFoundController>("/seen/{**rest}");
                app.MapDynamicControllerRoute<ToFoundController>("/unseen/{**rest}");
            });
        if (isSeen)
        {
            using var first = await app.GetTestClient().SendAsync(Api.Request(path));
            using var replay = await app.GetTestClient().SendAsync(Api.Request(path));
            Assert.Equal("found", await replay.TextAsync());
            Assert.True(replay.IsReplay());
        }
        else
        {
            var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => app.GetTestClient().SendAsync(Api.Request(path)));
            Assert.Contains("app.UseIdempotency()", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Switched_off_it_needs_no_middleware_either()
    {
        await using var app = await StartBareAsync(builder => builder.Services.AddIdempotency(options => options.Enabled = false), app => app.MapPost("/x", () => "ran").WithIdempotency());
        using var response = await app.GetTestClient().SendAsync(Api.Request("/x"));
        Assert.Equal("ran", await response.TextAsync());
    }

    [Fact]
    public async Task Disable_wins_otherwise_the_last_metadata_counts()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                var group = app.MapGroup("/g").WithIdempotency("short");
                group.MapPost("/inherits", Seconds);
                group.MapPost("/own", Seconds).WithIdempotency("long");
                group.MapPost("/attribute", [Idempotent("long")] (HttpContext context) => "x");
                group.MapPost("/disabled", Seconds).DisableIdempotency();
                group.MapPost("/disabled-attribute", [DisableIdempotency] () => "x");
                group.MapPost("/disabled-then-enabled", Seconds).DisableIdempotency().WithIdempotency("long");
                app.MapPost("/default", Seconds).WithIdempotency();
                app.MapPost("/attribute", [Idempotent] () => "x");
                app.MapPost("/none", Seconds);
                app.MapControllers();
            },
            options =>
            {
                options.DefaultPolicy = options.DefaultPolicy with { ClientCaching = true, Retention = TimeSpan.FromSeconds(1) };
                options.AddPolicy("short", new() { ClientCaching = true, Retention = TimeSpan.FromSeconds(2) });
                options.Policies["exact"] = new() { ClientCaching = true, Retention = TimeSpan.FromSeconds(4) };
                options.AddPolicy("long", new() { ClientCaching = true, Retention = TimeSpan.FromSeconds(3) });
            },
            services => services.AddControllers().AddApplicationPart(typeof(SetupTests).Assembly));
        foreach (var (path, seconds) in new[]
        {
            ("/g/inherits", "2"), ("/g/own", "3"), ("/g/attribute", "3"), ("/g/disabled", null), ("/g/disabled-attribute", null), ("/g/disabled-then-enabled", null),
            ("/default", "1"), ("/attribute", "1"), ("/none", null), ("/placed/controller", "1"), ("/placed/action", "4"), ("/placed/disabled", null),
        })
        {
            using var response = await api.SendAsync(path);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(seconds is null ? null : $"max-age={seconds}, private", response.Header("Cache-Control"));
        }

        static string Seconds() => "x";
    }

    [Fact]
    public async Task Switched_off_nothing_is_protected_and_no_store_is_asked()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(), options => options.Enabled = false);
        using var first = await api.SendAsync(key: null);
        using var second = await api.SendAsync();
        using var third = await api.SendAsync();
        Assert.Equal(3, runs);
        Assert.Null(third.Headers.ETag);
        Assert.Equal(0, api.Store.AllCalls);
    }

    [Fact]
    public async Task Anonymous_endpoints_in_the_shared_partition_are_named_in_one_warning()
    {
        await using var open = await Api.StartAsync(app =>
        {
            app.MapPost("/a", () => 1).WithIdempotency();
            app.MapPost("/b", () => 1).WithIdempotency();
            app.MapPost("/c", () => 1).WithIdempotency(new IdempotencyPolicy { Partition = _ => "p" });
            app.MapPost("/d", () => 1);
        });
        var warning = Assert.Single(open.Logs.Entries, entry => entry.Event == "SharedPartition");
        Assert.Equal(LogLevel.Warning, warning.Level);
        Assert.Contains("/a", warning.Text, StringComparison.Ordinal);
        Assert.Contains("/b", warning.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("/c", warning.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("/d", warning.Text, StringComparison.Ordinal);

        await using var closed = await Api.StartAsync(
            app => app.MapPost("/a", () => 1).WithIdempotency().RequireAuthorization(),
            services: services =>
            {
                services.AddAuthorization();
                services.AddAuthentication("header").AddScheme<AuthenticationSchemeOptions, HeaderAuthentication>("header", null);
            });
        Assert.Equal(0, closed.Logs.Count("SharedPartition"));
    }

    [Fact]
    public async Task A_recorded_answer_is_not_given_to_a_caller_who_may_not_have_it()
    {
        await using var app = await StartBareAsync(
            builder =>
            {
                builder.Services.AddIdempotency(options => options.AddPolicy("exact", new()));
                builder.Services.AddAuthorization();
                builder.Services.AddAuthentication("header").AddScheme<AuthenticationSchemeOptions, HeaderAuthentication>("header", null);
            },
            app =>
            {
                app.UseIdempotency(); // WebApplication puts authentication and authorization before it by itself
                app.MapPost("/", (ClaimsPrincipal user) => user.Identity!.Name).WithIdempotency().RequireAuthorization();
            });
        using var client = app.GetTestClient();
        using var ann = await client.SendAsync(Api.Request(user: "ann"));
        using var nobody = await client.SendAsync(Api.Request());
        using var bob = await client.SendAsync(Api.Request(user: "bob"));
        using var annAgain = await client.SendAsync(Api.Request(user: "ann"));
        Assert.Equal("ann", await ann.TextAsync());
        Assert.Equal(HttpStatusCode.Unauthorized, nobody.StatusCode);
        Assert.Equal("bob", await bob.TextAsync());
        Assert.True(annAgain.IsReplay());
    }

    [Theory]
    [InlineData(false, "application/json")]
    [InlineData(true, "application/json")]
    [InlineData(true, "text/html")]
    [InlineData(false, "text/html")]
    public async Task Problems_are_written_the_applications_way_when_it_has_one(bool hasService, string accept)
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => 1).WithIdempotency(),
            services: services =>
            {
                if (hasService)
                {
                    services.AddProblemDetails(options => options.CustomizeProblemDetails = context => context.ProblemDetails.Extensions["own"] = "yes");
                }
            });
        using var response = await api.SendAsync(key: null, with: request => request.Headers.Accept.ParseAdd(accept));
        await response.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.Equal(hasService && accept == "application/json", (await response.TextAsync()).Contains("\"own\":\"yes\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_endpoint_that_does_not_take_part_costs_no_allocation()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => 1));
        var middleware = ActivatorUtilities.CreateInstance<IdempotencyMiddleware>(api.Services, new RequestDelegate(_ => Task.CompletedTask));
        var context = new DefaultHttpContext();
        context.SetEndpoint(new Endpoint(null, new EndpointMetadataCollection(new HttpPostAttribute()), "open"));
        await middleware.InvokeAsync(context);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            _ = middleware.InvokeAsync(context);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Theory]
    [InlineData("GET", null)]
    [InlineData("head", null)]
    [InlineData("POST", "PUT")]
    public async Task A_request_with_a_method_that_is_not_protected_costs_no_allocation(string method, string? only)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => 1));
        var middleware = ActivatorUtilities.CreateInstance<IdempotencyMiddleware>(api.Services, new RequestDelegate(_ => Task.CompletedTask));
        var policy = new IdempotencyPolicy { Methods = only is null ? null : new List<string> { only } };
        var context = new DefaultHttpContext { Request = { Method = method } };
        context.SetEndpoint(new Endpoint(null, new EndpointMetadataCollection(new PolicyMetadata(policy)), "protected"));
        await middleware.InvokeAsync(context);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            _ = middleware.InvokeAsync(context);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static async Task<WebApplication> StartBareAsync(Action<WebApplicationBuilder> services, Action<WebApplication> map)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        services(builder);
        var app = builder.Build();
        map(app);
        await app.StartAsync();
        return app;
    }

    private sealed class HeaderAuthentication(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
            Request.Headers["X-User"].ToString() is { Length: > 0 } user
                ? AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.NameIdentifier, user), new Claim(ClaimTypes.Name, user)], "header")), "header"))
                : AuthenticateResult.NoResult());
    }
}

[Route("placed")]
[Idempotent]
public sealed class PlacedController : ControllerBase
{
    [HttpPost("controller")]
    public string OfController() => "x";

    [HttpPost("action")]
    [Idempotent("exact")]
    public string OfAction() => "x";

    [HttpPost("disabled")]
    [DisableIdempotency]
    public string Disabled() => "x";
}

public sealed class FoundController : ControllerBase
{
    [Idempotent]
    public string Run() => "found";
}

public sealed class ToFoundController : DynamicRouteValueTransformer
{
    public override ValueTask<RouteValueDictionary> TransformAsync(HttpContext httpContext, RouteValueDictionary values) =>
        ValueTask.FromResult(new RouteValueDictionary { ["controller"] = "Found", ["action"] = "Run" });
}
