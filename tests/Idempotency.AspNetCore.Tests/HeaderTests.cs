using System.Net;
using Microsoft.AspNetCore.ResponseCompression;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Headers: the endpoint's are kept, everybody else's are added afresh, and some are nobody's to repeat.</summary>
public sealed class HeaderTests
{
    private static readonly string[] NeverReplayed =
    [
        "Set-Cookie", "Set-Cookie2", "Clear-Site-Data", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "Age", "Date",
        "WWW-Authenticate", "Proxy-Authenticate", "Authentication-Info", "Proxy-Authentication-Info",
        "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Timing-Allow-Origin", "Strict-Transport-Security", "Server", "Via", "Alt-Svc",
        "traceparent", "tracestate", "Request-Id", "Server-Timing", "RateLimit", "RateLimit-Policy", "ratelimit-remaining", "X-RateLimit-Limit",
        "Signature", "Signature-Input", "Idempotent-Replayed", "Idempotency-Stored", "X-Named-By-Connection", "X-Excluded",
    ];

    [Fact]
    public async Task What_belongs_to_one_exchange_is_sent_once_and_never_replayed()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) =>
        {
            foreach (var name in NeverReplayed)
            {
                context.Response.Headers[name] = "first";
            }

            context.Response.Headers.Connection = "close, X-Named-By-Connection";
            context.Response.Headers["X-Kept"] = "kept";
            return "x";
        }).WithIdempotency(new IdempotencyPolicy { ExcludedHeaders = ["x-excluded"] }));
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        foreach (var name in NeverReplayed)
        {
            Assert.Equal("first", first.Header(name));
            Assert.Equal(name == "Idempotent-Replayed" ? "true" : null, replay.Header(name));
        }

        Assert.Null(replay.Header("Connection"));
        Assert.Equal("kept", replay.Header("X-Kept"));
    }

    [Theory]
    [InlineData(202, true)]
    [InlineData(301, true)]
    [InlineData(400, false)]
    public async Task Retry_After_is_part_of_an_answer_but_not_of_an_error(int status, bool isReplayed)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) => { context.Response.Headers.RetryAfter = "120"; return Results.StatusCode(status); }).WithIdempotency());
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.Equal("120", first.Header("Retry-After"));
        Assert.Equal(isReplayed ? "120" : null, replay.Header("Retry-After"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_the_outer_pipeline_adds_is_neither_stored_nor_doubled(bool kestrel)
    {
        var requests = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) =>
            {
                var headers = context.Response.Headers;
                context.Response.OnStarting(() => { headers.Append("X-Order", "endpoint 1"); return Task.CompletedTask; });
                context.Response.OnStarting(async () => { await Task.Yield(); headers.Append("X-Order", "endpoint 2"); headers["X-Late"] = "late"; });
                headers.Append("X-Shared", "endpoint");
                headers["X-Replaced"] = "endpoint";
                headers.Remove("X-Removed");
                headers["X-Same"] = "outer";
                headers.Append("Link", "<1>");
                headers.Append("Link", "<2>");
                return "x";
            }).WithIdempotency(),
            outer: app => app.Use(async (context, next) =>
            {
                var request = Interlocked.Increment(ref requests);
                var headers = context.Response.Headers;
                headers["X-Before"] = $"{request}";
                headers["X-Shared"] = "outer";
                headers["X-Replaced"] = "outer";
                headers["X-Removed"] = "outer";
                headers["X-Same"] = "outer";
                context.Response.OnStarting(() =>
                {
                    headers["X-Starting"] = $"{request}";
                    headers.Append("X-Order", "outer");
                    return Task.CompletedTask;
                });
                await next(context);
            }),
            kestrel: kestrel);
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        foreach (var (response, request) in new[] { (first, "1"), (replay, "2") })
        {
            Assert.Equal(request, response.Header("X-Before"));
            Assert.Equal(request, response.Header("X-Starting"));
            Assert.Equal("outer | endpoint", response.Header("X-Shared"));
            Assert.Equal("endpoint", response.Header("X-Replaced"));
            Assert.Null(response.Header("X-Removed"));
            Assert.Equal("outer", response.Header("X-Same"));
            Assert.Equal("late", response.Header("X-Late"));
            Assert.Equal("endpoint 2 | endpoint 1 | outer", response.Header("X-Order"));
            Assert.Equal("<1> | <2>", response.Header("Link"));
        }

        Assert.True(replay.IsReplay());
    }

    [Fact]
    public async Task An_empty_answer_is_left_for_the_outer_pipeline_to_add_to_each_time()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => { runs++; return Results.NotFound(); }).WithIdempotency(),
            outer: app => app.UseStatusCodePages().Use(async (context, next) =>
            {
                await next(context);
                Assert.False(context.Response.HasStarted);
                context.Response.Headers["X-After"] = "1";
            }),
            kestrel: true);
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        foreach (var response in new[] { first, replay })
        {
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
            Assert.StartsWith("Status Code: 404", await response.TextAsync(), StringComparison.Ordinal);
            Assert.Equal("1", response.Header("X-After"));
        }

        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task Response_compression_outside_compresses_the_first_answer_and_the_replay()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => new { text = new string('x', 10_000) }).WithIdempotency(),
            services: services => services.AddResponseCompression(options => { options.Providers.Add<GzipCompressionProvider>(); options.EnableForHttps = true; }),
            outer: app => app.UseResponseCompression(),
            kestrel: true);
        using var first = await api.SendAsync(with: request => request.Headers.AcceptEncoding.ParseAdd("gzip"));
        using var replay = await api.SendAsync(with: request => request.Headers.AcceptEncoding.ParseAdd("gzip"));
        using var plain = await api.SendAsync();
        Assert.Equal("gzip", first.Header("Content-Encoding"));
        Assert.Equal("gzip", replay.Header("Content-Encoding"));
        Assert.Null(plain.Header("Content-Encoding"));
        Assert.EndsWith("\"serverCacheHit\":true}", await plain.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_that_declares_a_wrong_length_is_corrected_and_not_cut_off()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpContext context) =>
            {
                context.Response.ContentLength = 3;
                await context.Response.WriteAsync("longer");
            }).WithIdempotency(),
            kestrel: true);
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.Equal("longer", await first.TextAsync());
        Assert.Equal("longer", await replay.TextAsync());
    }

    [Fact]
    public async Task Inside_the_handler_the_response_looks_as_it_would_to_any()
    {
        var started = new List<bool>();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            started.Add(context.Response.HasStarted);
            context.Response.BodyWriter.GetSpan(10);
            context.Response.BodyWriter.Advance(0);
            started.Add(context.Response.HasStarted);
            await context.Response.WriteAsync("x");
            started.Add(context.Response.HasStarted);
            Assert.False(context.Response.Body.CanSeek);
            Assert.Throws<InvalidOperationException>(context.Response.Clear);
        }).WithIdempotency());
        using var first = await api.SendAsync();
        Assert.Equal([false, false, true], started);
        Assert.Equal("x", await first.TextAsync());
    }

    [Theory]
    [InlineData("/bare")]
    [InlineData("/protected")]
    public async Task After_the_first_flush_status_and_callbacks_are_final(string path)
    {
        var callbackRan = false;
        var failures = 0;
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/bare", Handle);
                app.MapPost("/protected", Handle).WithIdempotency();
            },
            kestrel: true);
        using var response = await api.SendAsync(path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("partial", await response.TextAsync());
        Assert.Equal("early", response.Header("X-Callback"));
        Assert.Equal(2, failures);

        async Task Handle(HttpContext context)
        {
            context.Response.OnStarting(() =>
            {
                callbackRan = true;
                context.Response.Headers["X-Callback"] = "early";
                return Task.CompletedTask;
            });
            await context.Response.WriteAsync("partial");
            Assert.True(callbackRan);
            failures += Record.Exception(() => context.Response.StatusCode = 503) is InvalidOperationException ? 1 : 0;
            failures += Record.Exception(() => context.Response.OnStarting(() => Task.CompletedTask)) is InvalidOperationException ? 1 : 0;
        }
    }

    [Fact]
    public async Task The_handler_knows_its_key_and_attempt_and_nobody_after_it_does()
    {
        IIdempotencyFeature? after = null;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) =>
            {
                var feature = context.Features.Get<IIdempotencyFeature>()!;
                return $"{feature.Key} {feature.Attempt} {feature.TookOver} {feature.ClaimLost.IsCancellationRequested}";
            }).WithIdempotency(),
            outer: app => app.Use(async (context, next) => { await next(context); after = context.Features.Get<IIdempotencyFeature>(); }));
        using var first = await api.SendAsync(key: "\"quoted\"");
        Assert.Equal("quoted 1 False False", await first.TextAsync());
        Assert.Null(after);
    }

    [Fact]
    public async Task Nobody_but_the_caller_meets_the_raw_key()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/{status:int}", (int status) => Results.StatusCode(status)).WithIdempotency());
        foreach (var path in new[] { "/200", "/200", "/500", "/200?other" })
        {
            using var response = await api.SendAsync(path, key: "SECRET-KEY");
            Assert.DoesNotContain("SECRET-KEY", await response.TextAsync(), StringComparison.Ordinal);
        }

        Assert.DoesNotContain(api.Logs.Entries, entry => entry.Text.Contains("SECRET-KEY", StringComparison.Ordinal));
        Assert.NotEmpty(api.Logs.Entries);
    }
}
