using System.IO.Compression;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.ResponseCompression;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What a replay says of its body, of caching, and to clients who ask in another way than the first one.</summary>
public sealed class ReplayHeaderTests
{
    private const string Text = "The quick brown fox jumps over the lazy dog. ";

    [Fact]
    public async Task The_language_that_localization_said_of_the_first_body_goes_with_that_body()
    {
        // As request localization does with ApplyCurrentCultureToResponseHeaders, which needs cultures that not every machine has.
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) => (string?)context.Items["language"] == "fr" ? "bonjour" : "hello").WithIdempotency(),
            outer: app => app.Use((context, next) =>
            {
                var language = context.Request.Headers.AcceptLanguage.ToString();
                context.Items["language"] = language;
                context.Response.Headers.ContentLanguage = language;
                return next(context);
            }));
        using var first = await api.SendAsync(with: request => request.Headers.AcceptLanguage.ParseAdd("fr"));
        using var replay = await api.SendAsync(with: request => request.Headers.AcceptLanguage.ParseAdd("en"));
        Assert.Equal("bonjour", await first.TextAsync());
        Assert.Equal("fr", first.Header("Content-Language"));
        Assert.Equal("bonjour", await replay.TextAsync());
        Assert.Equal("fr", replay.Header("Content-Language"));
    }

    [Theory]
    [InlineData("Content-Language", "fr", "en")]
    [InlineData("Content-Location", "/fr", "/en")]
    [InlineData("Content-Disposition", "inline", "attachment")]
    [InlineData("Content-Type", "text/html", "text/plain")]
    [InlineData("ETag", "\"one\"", "\"two\"")]
    [InlineData("Last-Modified", "Tue, 15 Nov 1994 12:45:26 GMT", "Wed, 16 Nov 1994 12:45:26 GMT")]
    [InlineData("Repr-Digest", "sha-256=:one:", "sha-256=:two:")]
    public async Task A_header_that_describes_the_body_is_the_first_ones_whoever_set_it(string name, string ofFirst, string ofRetry)
    {
        string? outer = ofFirst;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/{own?}", async (HttpContext context, string? own) =>
            {
                if (own is not null)
                {
                    context.Response.Headers[name] = StringValuesOf(own);
                }

                await context.Response.Body.WriteAsync("body"u8.ToArray());
            }).WithIdempotency(new IdempotencyPolicy { EmitETag = false }),
            outer: app => app.Use((context, next) =>
            {
                if (outer is not null)
                {
                    context.Response.Headers[name] = outer;
                }

                return next(context);
            }));
        foreach (var (path, key, first, retry, expected) in new[]
        {
            ("/", "outer", ofFirst, ofRetry, ofFirst),
            ("/", "outer twice the same", ofFirst, ofFirst, ofFirst),
            ("/", "outer at first alone", ofFirst, null, ofFirst),
            ("/", "outer at the retry alone", null, ofRetry, null),
            ("/own", "replaced", ofFirst, ofRetry, ofFirst + "-own"),
            ("/none", "removed", ofFirst, ofRetry, null),
        })
        {
            outer = first;
            using var answer = await SendAsync();
            outer = retry;
            using var replay = await SendAsync();
            Assert.True(replay.IsReplay(), key);
            Assert.Equal(expected, replay.Content.Headers.NonValidated.TryGetValues(name, out var values) || replay.Headers.NonValidated.TryGetValues(name, out values) ? values.ToString() : null);

            Task<HttpResponseMessage> SendAsync() => api.SendAsync(path, key: key);
        }

        Microsoft.Extensions.Primitives.StringValues StringValuesOf(string own) => own == "none" ? default : ofFirst + "-own";
    }

    [Fact]
    public async Task A_header_that_only_looks_like_one_of_the_body_stays_the_outer_pipelines()
    {
        var requests = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => "x").WithIdempotency(),
            outer: app => app.Use((context, next) => { context.Response.Headers.ContentSecurityPolicy = $"nonce-{++requests}"; return next(context); }));
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.Equal("nonce-1", first.Header("Content-Security-Policy"));
        Assert.Equal("nonce-2", replay.Header("Content-Security-Policy"));
    }

    [Theory]
    [InlineData("\"strong\"", """{"a":1}""")]
    [InlineData("W/\"weak\"", """{"a":1,"serverCacheHit":true}""")]
    public async Task A_strong_validator_of_the_handlers_own_means_the_same_bytes(string tag, string replayed)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) => { context.Response.Headers.ETag = tag; return new { a = 1 }; }).WithIdempotency());
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.Equal("""{"a":1}""", await first.TextAsync());
        Assert.Equal(replayed, await replay.TextAsync());
        Assert.Equal(tag, replay.Headers.ETag!.ToString());
    }

    [Theory]
    [InlineData("application/json", true)]
    [InlineData("Application/JSON; charset=UTF-8", true)]
    [InlineData("application/json; profile=x", true)]
    [InlineData("application/problem+json", false)]
    [InlineData("application/vnd.api+json", false)]
    [InlineData("application/hal+json; charset=utf-8", false)]
    [InlineData("application/json-patch+json", false)]
    [InlineData("text/json", false)]
    [InlineData("application/json; charset=utf-16", false)]
    public async Task Only_plain_JSON_carries_the_flag(string type, bool isFlagged)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) =>
        {
            context.Response.ContentType = type;
            return context.Response.Body.WriteAsync("{}"u8.ToArray()).AsTask();
        }).WithIdempotency());
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal(isFlagged ? """{"serverCacheHit":true}""" : "{}", Encoding.UTF8.GetString(await replay.BytesAsync()));
        Assert.Equal(isFlagged, first.Headers.ETag!.IsWeak);
    }

    [Theory]
    [InlineData(true, "no-store", "no-store", "no-store", "no-store")]
    [InlineData(true, "no-cache, no-store", "no-cache, no-store", "no-cache, no-store", "no-cache, no-store")]
    [InlineData(true, "no-store", null, "no-store", "no-store")]
    [InlineData(true, "no-cache", "no-cache", "no-cache", "no-store")]
    [InlineData(true, null, "no-store", "max-age=86400, private", "no-store")]
    [InlineData(true, null, null, "max-age=86400, private", "max-age=86400, private")]
    [InlineData(false, "public, max-age=60", "public, max-age=60", "max-age=60, public", "no-store")]
    [InlineData(false, "no-cache, no-store", "no-cache, no-store", "no-cache, no-store", "no-cache, no-store")]
    [InlineData(false, null, null, null, "no-store")]
    public async Task A_replay_may_never_be_kept_longer_than_the_first_answer(bool clientCaching, string? outerOfFirst, string? outerOfRetry, string? first, string replayed)
    {
        var outer = outerOfFirst;
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/", () => "x").WithIdempotency(new IdempotencyPolicy { ClientCaching = clientCaching });
                app.MapPost("/own", (HttpContext context) => { context.Response.Headers.CacheControl = "max-age=5"; return "x"; }).WithIdempotency(new IdempotencyPolicy { ClientCaching = clientCaching });
            },
            outer: app => app.Use((context, next) =>
            {
                if (outer is not null)
                {
                    context.Response.Headers.CacheControl = outer;
                }

                return next(context);
            }));
        using var answer = await api.SendAsync();
        using var own = await api.SendAsync("/own");
        outer = outerOfRetry;
        using var replay = await api.SendAsync();
        using var ownReplay = await api.SendAsync("/own");
        Assert.True(replay.IsReplay());
        Assert.Equal(first is null ? [] : Directives(first), Directives(answer.Headers.CacheControl?.ToString() ?? ""));
        Assert.Equal(Directives(replayed), Directives(replay.Headers.CacheControl!.ToString()));
        Assert.Equal("max-age=5", own.Header("Cache-Control"));
        Assert.Equal("max-age=5", ownReplay.Header("Cache-Control"));

        static string[] Directives(string header) => [.. header.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
    }

    [Theory]
    [InlineData("POST", true)]
    [InlineData("PUT", false)]
    [InlineData("PATCH", false)]
    [InlineData("DELETE", false)]
    public async Task A_precondition_of_the_operation_is_answered_as_it_was(string method, bool isNotModified)
    {
        await using var api = await Api.StartAsync(app => app.MapMethods("/", [method], (HttpContext context) => { context.Response.Headers.ETag = "\"v2\""; return Results.Text("stored"); }).WithIdempotency());
        using var first = await SendAsync();
        using var retry = await SendAsync();
        Assert.Equal("stored", await first.TextAsync());
        Assert.True(retry.IsReplay());
        Assert.Equal(isNotModified ? HttpStatusCode.NotModified : HttpStatusCode.OK, retry.StatusCode);
        Assert.Equal(isNotModified ? "" : "stored", await retry.TextAsync());

        Task<HttpResponseMessage> SendAsync() => api.SendAsync(method: new HttpMethod(method), with: request => request.Headers.Add("If-None-Match", "\"v2\""));
    }

    [Theory]
    [InlineData("gzip", "gzip", true)]
    [InlineData("gzip", "GZIP;q=0.5, br", true)]
    [InlineData("gzip", "*", true)]
    [InlineData("gzip", "x-gzip", true)]
    [InlineData("gzip", "identity;q=0, br", true)] // neither is: nothing better to send
    [InlineData("gzip", "br", false)]
    [InlineData("gzip", "identity", false)]
    [InlineData("gzip", "gzip;q=0", false)]
    [InlineData("gzip", "gzip;q=0.0, *", false)]
    [InlineData("gzip", "*;q=0, identity", false)]
    [InlineData("gzip", "", false)]
    [InlineData("gzip", null, false)]
    [InlineData("br", "br", true)]
    [InlineData("br", "gzip", false)]
    [InlineData("br", null, false)]
    public async Task A_response_compressed_behind_the_middleware_is_decoded_for_a_client_that_does_not_accept_it(string coding, string? accepted, bool isEncoded)
    {
        var body = string.Concat(Enumerable.Repeat(Text, 100));
        await using var api = await Api.StartAsync(
            app =>
            {
                app.UseResponseCompression();
                app.MapPost("/", () => Results.Json(new { body })).WithIdempotency();
            },
            services: services => services.AddResponseCompression(options => options.EnableForHttps = true),
            outer: app => app.UseRouting(),
            kestrel: true);
        using var first = await api.SendAsync(with: request => request.Headers.Add("Accept-Encoding", coding));
        Assert.Equal(coding, first.Header("Content-Encoding"));

        // Twice: from the store, and from the local cache.
        for (var i = 0; i < 2; i++)
        {
            using var replay = await api.SendAsync(with: request => Accept(request, accepted));
            Assert.True(replay.IsReplay());
            Assert.Equal(isEncoded ? coding : null, replay.Header("Content-Encoding"));
            Assert.Equal("Accept-Encoding", replay.Header("Vary"));
            var bytes = await replay.BytesAsync();
            Assert.Equal(bytes.Length, replay.Content.Headers.ContentLength);
            Assert.Equal($$"""{"body":"{{body}}"}""", Encoding.UTF8.GetString(isEncoded ? Decoded(coding, bytes) : bytes));
            Assert.Equal(first.Headers.ETag!.Tag, replay.Headers.ETag!.Tag);
            Assert.Equal(!isEncoded, replay.Headers.ETag.IsWeak); // other bytes are not what a strong tag promised

            using var known = await api.SendAsync(with: request => { Accept(request, accepted); request.Headers.IfNoneMatch.Add(replay.Headers.ETag); });
            Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
            Assert.Equal(replay.Headers.ETag, known.Headers.ETag);
            Assert.Equal("Accept-Encoding", known.Header("Vary"));
        }
    }

    [Theory]
    [InlineData("deflate", "deflate")]
    [InlineData("deflate", "bare-deflate")]
    [InlineData("gzip, br", "gzip br")]
    [InlineData("x-gzip", "gzip")]
    public async Task Every_known_coding_and_pile_of_codings_comes_off_with_what_describes_its_bytes(string header, string codings)
    {
        var encoded = codings.Split(' ').Aggregate(Encoding.UTF8.GetBytes(Text), (bytes, coding) => Encoded(coding, bytes));
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) =>
        {
            context.Response.Headers.ContentEncoding = header;
            context.Response.Headers["Content-Digest"] = "sha-256=:x:";
            context.Response.Headers.ETag = "\"mine\"";
            return Results.Bytes(encoded, "text/plain");
        }).WithIdempotency(), kestrel: true);
        using var first = await api.SendAsync();
        using var same = await api.SendAsync(); // no header: a handler that always encodes means it
        using var plain = await api.SendAsync(with: request => request.Headers.Add("Accept-Encoding", "identity"));
        Assert.Equal(encoded, await first.BytesAsync());
        Assert.Equal(encoded, await same.BytesAsync());
        Assert.Equal(first.Headers("Date", "Cache-Control"), same.Headers("Date", "Cache-Control", "Idempotent-Replayed"));
        Assert.Equal(Text, await plain.TextAsync());
        Assert.Null(plain.Header("Content-Encoding"));
        Assert.Null(plain.Header("Content-Digest"));
        Assert.Equal("W/\"mine\"", plain.Headers.ETag!.ToString());
        Assert.Equal("Accept-Encoding", plain.Header("Vary"));
    }

    [Theory]
    [InlineData("zstd", "garbage")]
    [InlineData("gzip", "garbage")]
    [InlineData("br", "garbage")]
    [InlineData("deflate", "garbage")]
    [InlineData("gzip", "bomb")]
    [InlineData("gzip", "truncated")]
    [InlineData("br", "truncated")]
    [InlineData("deflate", "truncated")]
    public async Task A_coding_that_cannot_be_taken_off_stays_on(string coding, string kind)
    {
        var body = kind switch
        {
            "bomb" => Encoded(coding, new byte[2000]),
            "truncated" => Encoded(coding, Encoding.UTF8.GetBytes(Text))[..^10],
            _ => "no such thing"u8.ToArray(),
        };
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) =>
        {
            context.Response.Headers.ContentEncoding = coding;
            return Results.Bytes(body, "text/plain");
        }).WithIdempotency(new IdempotencyPolicy { MaxResponseBodySize = 1000 }));
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync(with: request => request.Headers.Add("Accept-Encoding", "identity"));
        Assert.True(replay.IsReplay());
        Assert.Equal(coding, replay.Header("Content-Encoding"));
        Assert.Equal(body, await replay.BytesAsync());
        Assert.Equal(first.Headers.ETag, replay.Headers.ETag);
    }

    [Theory]
    [InlineData("X-Request-Id")]
    [InlineData("x-request-ID")]
    [InlineData("X-Correlation-Id")]
    [InlineData("Correlation-Id")]
    [InlineData("X-Trace-Id")]
    [InlineData("traceresponse")]
    [InlineData("X-B3-TraceId")]
    [InlineData("x-ms-request-id")]
    [InlineData("x-amzn-RequestId")]
    [InlineData("CF-Ray")]
    public async Task An_echoed_id_of_the_exchange_is_not_the_first_ones_on_a_replay(string name)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) => { context.Response.Headers[name] = context.Request.Headers["X-Sent"]; return "x"; }).WithIdempotency());
        using var first = await api.SendAsync(with: request => request.Headers.Add("X-Sent", "one"));
        using var replay = await api.SendAsync(with: request => request.Headers.Add("X-Sent", "two"));
        Assert.Equal("one", first.Header(name));
        Assert.True(replay.IsReplay());
        Assert.Null(replay.Header(name));
    }

    private static void Accept(HttpRequestMessage request, string? accepted)
    {
        if (accepted is not null)
        {
            Assert.True(request.Headers.TryAddWithoutValidation("Accept-Encoding", accepted));
        }
    }

    private static byte[] Encoded(string coding, byte[] bytes)
    {
        using var encoded = new MemoryStream();
        using (Stream encoder = coding switch
        {
            "gzip" => new GZipStream(encoded, CompressionLevel.Optimal),
            "br" => new BrotliStream(encoded, CompressionLevel.Optimal),
            "deflate" => new ZLibStream(encoded, CompressionLevel.Optimal),
            _ => new DeflateStream(encoded, CompressionLevel.Optimal),
        })
        {
            encoder.Write(bytes);
        }

        return encoded.ToArray();
    }

    private static byte[] Decoded(string coding, byte[] bytes)
    {
        using Stream decoder = coding == "gzip" ? new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress) : new BrotliStream(new MemoryStream(bytes), CompressionMode.Decompress);
        using var decoded = new MemoryStream();
        decoder.CopyTo(decoded);
        return decoded.ToArray();
    }
}
