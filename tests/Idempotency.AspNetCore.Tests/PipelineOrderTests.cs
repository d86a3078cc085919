using System.IO.Compression;
using System.Net;
using System.Text;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.RateLimiting;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Beside the framework's other middleware, before it and behind it, a request runs once and its answer is the same.</summary>
public sealed class PipelineOrderTests
{
    private const string Answer = """{"id":1,"text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}""";

    private static readonly Dictionary<string, Action<WebApplication>> Middleware = new()
    {
        ["response compression"] = app => app.UseResponseCompression(),
        ["response caching"] = app => app.UseResponseCaching(),
        ["output caching"] = app => app.UseOutputCache(),
        ["request decompression"] = app => app.UseRequestDecompression(),
        ["rate limiting"] = app => app.UseRateLimiter(),
        ["request timeouts"] = app => app.UseRequestTimeouts(),
        ["HTTP logging"] = app => app.UseHttpLogging(),
        ["status code pages"] = app => app.UseStatusCodePages(),
        ["exception handler"] = app => app.UseExceptionHandler("/error"),
        ["forwarded headers"] = app => app.UseForwardedHeaders(),
        ["cookies"] = app => app.UseCookiePolicy(),
        ["static files"] = app => app.UseStaticFiles(),
    };

    public static TheoryData<string, bool, bool> Orders()
    {
        var orders = new TheoryData<string, bool, bool>();
        foreach (var name in Middleware.Keys)
        {
            orders.Add(name, true, true);
            orders.Add(name, true, false);
            orders.Add(name, false, true);
            orders.Add(name, false, false);
        }

        return orders;
    }

    [Theory]
    [MemberData(nameof(Orders))]
    public async Task Runs_once_and_answers_the_same(string name, bool isOutside, bool kestrel)
    {
        var runs = 0;
        await using var api = await StartAsync(
            app => app.MapPost("/", (HttpContext context) =>
            {
                runs++;
                return Results.Text(Answer, "application/json");
            }).WithIdempotency(new IdempotencyPolicy { ReplayFlagName = null }),
            Middleware[name],
            isOutside,
            kestrel);
        for (var i = 0; i < 3; i++)
        {
            using var response = await api.SendAsync(json: """{"a":1}""", with: request => request.Headers.AcceptEncoding.ParseAdd("gzip"));
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(Answer, await PlainAsync(response));
            Assert.Equal(i > 0, response.IsReplay());
        }

        Assert.Equal(1, runs);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_redirection_to_HTTPS_is_no_answer_to_the_request(bool isOutside)
    {
        await using var api = await StartAsync(app => app.MapPost("/pay", () => "paid").WithIdempotency(), app => app.UseHttpsRedirection(), isOutside);
        using var client = api.Client;
        for (var i = 0; i < 2; i++)
        {
            using var redirect = await api.SendAsync("/pay?x=1");
            Assert.Equal(HttpStatusCode.TemporaryRedirect, redirect.StatusCode);
            Assert.Equal("https://localhost/pay?x=1", redirect.Headers.Location?.ToString());
        }

        for (var i = 0; i < 2; i++)
        {
            using var paid = await api.SendAsync("https://localhost/pay?x=1");
            Assert.Equal("paid", await paid.TextAsync());
            Assert.Equal(i == 1, paid.IsReplay());
        }
    }

    [Theory]
    [InlineData("/form", 302)]
    [InlineData("/form", 303)]
    [InlineData("https://elsewhere.example/done", 302)]
    [InlineData("https://localhost/form/done", 307)]
    public async Task Any_other_redirection_is(string location, int status)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/form", (HttpContext context) =>
        {
            context.Response.Headers.Location = location;
            return Results.StatusCode(status);
        }).WithIdempotency());
        using var first = await api.SendAsync("/form");
        using var replay = await api.SendAsync("/form");
        Assert.Equal(status, (int)replay.StatusCode);
        Assert.Equal(location, replay.Header("Location"));
        Assert.True(replay.IsReplay());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_request_over_a_rate_is_refused_and_its_retry_runs(bool isOutside)
    {
        await using var api = await StartAsync(
            app => app.MapPost("/", () => "x").WithIdempotency(),
            app => app.UseRateLimiter(),
            isOutside,
            services: services => services.AddRateLimiter(options => options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, int>(context =>
                RateLimitPartition.Get(context.Request.Headers.ContainsKey("X-Busy") ? 1 : 0, busy => busy == 1 ? new NeverLimiter() : new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = 100 })))));
        using var busy = await api.SendAsync(with: request => request.Headers.Add("X-Busy", "1"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, busy.StatusCode);
        using var retry = await api.SendAsync();
        Assert.Equal("x", await retry.TextAsync());
        Assert.False(retry.IsReplay());
    }

    [Fact]
    public async Task Across_origins_a_replay_carries_the_headers_of_the_origin_that_asks()
    {
        await using var api = await StartAsync(
            app => app.MapPost("/", () => "x").WithIdempotency(),
            app => app.UseCors(policy => policy.WithOrigins("https://a.example", "https://b.example").AllowAnyHeader().WithExposedHeaders("Idempotent-Replayed")),
            isOutside: true);
        using var preflight = await api.SendAsync(key: null, json: null, method: HttpMethod.Options, with: request =>
        {
            request.Headers.Add("Origin", "https://a.example");
            request.Headers.Add("Access-Control-Request-Method", "POST");
            request.Headers.Add("Access-Control-Request-Headers", "idempotency-key,content-type");
        });
        Assert.Equal(HttpStatusCode.NoContent, preflight.StatusCode);
        Assert.Equal("https://a.example", preflight.Header("Access-Control-Allow-Origin"));
        foreach (var origin in new[] { "https://a.example", "https://b.example" })
        {
            using var response = await api.SendAsync(with: request => request.Headers.Add("Origin", origin));
            Assert.Equal("x", await response.TextAsync());
            Assert.Equal(origin, response.Header("Access-Control-Allow-Origin"));
            Assert.Equal("Idempotent-Replayed", response.Header("Access-Control-Expose-Headers"));
        }
    }

    private static Task<Api> StartAsync(Action<WebApplication> map, Action<WebApplication> middleware, bool isOutside, bool kestrel = false, Action<IServiceCollection>? services = null) => Api.StartAsync(
        app =>
        {
            if (!isOutside)
            {
                middleware(app);
            }

            map(app);
        },
        services: all =>
        {
            all.AddResponseCompression(options =>
            {
                options.EnableForHttps = true;
                options.MimeTypes = ["application/json"];
            });
            all.AddResponseCaching().AddOutputCache().AddRequestDecompression().AddRequestTimeouts().AddHttpLogging(_ => { }).AddCors().AddProblemDetails();
            all.AddHttpsRedirection(options => options.HttpsPort = 443);
            all.AddRateLimiter(options => options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, int>(_ => RateLimitPartition.GetNoLimiter(0)));
            services?.Invoke(all);
        },
        outer: isOutside ? middleware : null,
        kestrel: kestrel);

    private static async Task<string> PlainAsync(HttpResponseMessage response)
    {
        var bytes = await response.BytesAsync();
        if (!response.Content.Headers.ContentEncoding.Contains("gzip"))
        {
            return Encoding.UTF8.GetString(bytes);
        }

        using var plain = new StreamReader(new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress));
        return await plain.ReadToEndAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_request_whose_handler_wants_no_services_gets_no_scope_for_them(bool kestrel)
    {
        var scopes = new List<WatchedServices>();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (RequestDelegate)(context => context.Response.WriteAsync("x"))).WithIdempotency(),
            outer: app => app.Use((context, next) =>
            {
                scopes.Add(new WatchedServices(context.RequestServices));
                context.Features.Set<IServiceProvidersFeature>(scopes[^1]);
                return next(context);
            }),
            kestrel: kestrel);
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal([false, false], scopes.Select(scope => scope.WasAskedFor));
    }

    private sealed class WatchedServices(IServiceProvider services) : IServiceProvidersFeature
    {
        public bool WasAskedFor { get; private set; }

        public IServiceProvider RequestServices
        {
            get
            {
                WasAskedFor = true;
                return services;
            }

            set => throw new NotSupportedException();
        }
    }

    private sealed class NeverLimiter : RateLimiter
    {
        public override TimeSpan? IdleDuration => null;

        public override RateLimiterStatistics? GetStatistics() => null;

        protected override RateLimitLease AttemptAcquireCore(int permitCount) => new Lease();

        protected override ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken) => ValueTask.FromResult<RateLimitLease>(new Lease());

        private sealed class Lease : RateLimitLease
        {
            public override bool IsAcquired => false;

            public override IEnumerable<string> MetadataNames => [];

            public override bool TryGetMetadata(string metadataName, out object? metadata)
            {
                metadata = null;
                return false;
            }
        }
    }
}
