using System.Buffers.Text;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The answer, given again: of every kind of result, byte for byte.</summary>
public sealed class ReplayTests
{
    private static readonly byte[] Binary = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 7))];
    private static readonly string BinaryFile = WriteBinaryFile();

    private static readonly Dictionary<string, Delegate> Handlers = new()
    {
        ["created"] = () => Results.Created("/payments/1", new { id = 1, text = "ä€😀" }),
        ["created-no-body"] = () => Results.Created("/payments/1", null),
        ["accepted"] = () => Results.Accepted("/jobs/1", new { id = 1 }),
        ["text"] = () => Results.Text("plain text, ä€", "text/plain", Encoding.UTF8),
        ["text-latin1"] = () => Results.Text("ä", "text/plain", Encoding.Latin1),
        ["file-bytes"] = () => Results.File(Binary, "application/octet-stream", "binary.bin"),
        ["file-stream"] = () => Results.File(new MemoryStream(Binary), "image/png"),
        ["file-physical"] = () => Results.File(BinaryFile, "application/pdf", "file.pdf"),
        ["redirect"] = () => Results.Redirect("/elsewhere"),
        ["redirect-permanent"] = () => Results.Redirect("/elsewhere", permanent: true, preserveMethod: true),
        ["no-content"] = () => Results.NoContent(),
        ["json"] = () => Results.Json(new { a = 1, nested = new[] { 1.5m, 2m } }),
        ["json-null"] = () => Results.Json<object?>(null),
        ["json-array"] = () => Results.Json(new[] { 1, 2, 3 }),
        ["json-zero"] = () => Results.Json(0),
        ["json-string"] = () => Results.Json("text"),
        ["json-status"] = () => Results.Json(new { a = 1 }, statusCode: 202, contentType: "application/vnd.api+json"),
        ["problem"] = () => Results.Problem("no", statusCode: 402),
        ["validation-problem"] = () => Results.ValidationProblem(new Dictionary<string, string[]> { ["name"] = ["is missing"] }),
        ["not-found"] = () => Results.NotFound(),
        ["bad-request"] = () => Results.BadRequest(new { error = "no" }),
        ["status"] = () => Results.StatusCode(418),
        ["union"] = Results<Ok<string>, NotFound> () => TypedResults.Ok("typed"),
        ["anonymous"] = () => new { id = Guid.Empty, flag = true },
        ["string"] = () => "a string",
        ["task"] = async () => { await Task.Yield(); return new { late = true }; },
        ["void"] = () => { },
        ["content"] = () => Results.Content("<p>hi</p>", "text/html"),
        ["stream"] = () => Results.Stream(async stream => { await stream.WriteAsync(Binary); await stream.FlushAsync(); }, "application/x-custom"),
        ["body"] = async (HttpContext context) => { context.Response.StatusCode = 201; await context.Response.Body.WriteAsync(Binary); },
        ["body-empty-write"] = async (HttpContext context) => await context.Response.Body.WriteAsync(ReadOnlyMemory<byte>.Empty),
        ["body-pieces"] = async (HttpContext context) => { for (var i = 0; i < Binary.Length; i += 100) { await context.Response.Body.WriteAsync(Binary.AsMemory(i, 100)); await context.Response.Body.FlushAsync(); } },
        ["body-sync"] = (HttpContext context) => { context.Features.GetRequiredFeature<IHttpBodyControlFeature>().AllowSynchronousIO = true; context.Response.Body.Write(Binary); },
        ["body-writer-flushed"] = async (HttpContext context) => { Binary.CopyTo(context.Response.BodyWriter.GetMemory(Binary.Length)); context.Response.BodyWriter.Advance(Binary.Length); await context.Response.BodyWriter.FlushAsync(); },
        ["body-writer-unflushed"] = (HttpContext context) => { Binary.CopyTo(context.Response.BodyWriter.GetSpan(Binary.Length)); context.Response.BodyWriter.Advance(Binary.Length); },
        ["body-writer-completed"] = async (HttpContext context) => { await context.Response.BodyWriter.WriteAsync(Binary); await context.Response.BodyWriter.CompleteAsync(); },
        ["start-complete"] = async (HttpContext context) => { context.Response.StatusCode = 202; await context.Response.StartAsync(); await context.Response.WriteAsync("part"); await context.Response.CompleteAsync(); },
        ["start-only"] = async (HttpContext context) => { context.Response.StatusCode = 202; await context.Response.StartAsync(); },
        ["content-length"] = async (HttpContext context) => { context.Response.ContentLength = Binary.Length; await context.Response.Body.WriteAsync(Binary); },
        ["send-file"] = async (HttpContext context) => await context.Response.SendFileAsync(BinaryFile),
        ["send-file-part"] = async (HttpContext context) => await context.Response.SendFileAsync(BinaryFile, 100, 50),
        ["reset-content"] = (HttpContext context) => { context.Response.StatusCode = 205; },
        ["headers"] = (HttpContext context) => { context.Response.Headers.Append("X-Many", "1"); context.Response.Headers.Append("X-Many", "2"); context.Response.Headers["X-Empty"] = ""; return Results.Ok(); },
        ["async-enumerable"] = () => Numbers(),
        ["large-json"] = () => Enumerable.Range(0, 10_000).Select(i => new { i, square = i * i }),
    };

    public static TheoryData<string, bool> Kinds()
    {
        var kinds = new TheoryData<string, bool>();
        foreach (var name in Handlers.Keys.Concat(["mvc/object", "mvc/status", "mvc/json", "mvc/file", "mvc/redirect", "mvc/content", "mvc/empty", "mvc/created"]))
        {
            kinds.Add(name, false);
            kinds.Add(name, true);
        }

        return kinds;
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task The_first_answer_is_the_bare_one_with_an_ETag_and_the_replay_is_the_same(string kind, bool kestrel)
    {
        await using var api = await StartAsync(kestrel);

        using var bare = await api.SendAsync("/bare/" + kind);
        using var first = await api.SendAsync("/" + kind);
        using var replay = await api.SendAsync("/" + kind);

        Assert.Equal(bare.StatusCode, first.StatusCode);
        Assert.Equal(bare.ReasonPhrase, first.ReasonPhrase);
        Assert.Equal(await bare.BytesAsync(), await first.BytesAsync());
        Assert.Equal(bare.Headers("Date", "ETag"), first.Headers("Date", "ETag"));
        Assert.Equal(bare.Headers.TransferEncodingChunked, first.Headers.TransferEncodingChunked);
        Assert.NotNull(first.Headers.ETag);
        Assert.False(first.IsReplay());

        Assert.True(replay.IsReplay());
        Assert.Equal(first.StatusCode, replay.StatusCode);
        Assert.Equal(first.ReasonPhrase, replay.ReasonPhrase);
        Assert.Equal(await first.BytesAsync(), await replay.BytesAsync());
        Assert.Equal(
            first.Headers("Date", "Content-Length", "Transfer-Encoding", "Cache-Control"),
            replay.Headers("Date", "Content-Length", "Transfer-Encoding", "Cache-Control", "Idempotent-Replayed"));
        Assert.Equal("no-store", replay.Header("Cache-Control"));
    }

    [Fact]
    public async Task HEAD_is_replayed_with_the_length_the_handler_declared()
    {
        await using var api = await Api.StartAsync(
            app => app.MapMethods("/", ["HEAD"], (HttpContext context) => { context.Response.ContentLength = 1234; context.Response.ContentType = "text/plain"; }).WithIdempotency(new IdempotencyPolicy { Methods = ["HEAD"] }),
            kestrel: true);
        using var first = await api.SendAsync(method: HttpMethod.Head, json: null);
        using var replay = await api.SendAsync(method: HttpMethod.Head, json: null);
        Assert.Equal(1234, first.Content.Headers.ContentLength);
        Assert.True(replay.IsReplay());
        Assert.Equal(1234, replay.Content.Headers.ContentLength);
        Assert.Equal("text/plain", replay.Header("Content-Type"));
    }

    [Fact]
    public async Task A_reason_phrase_of_the_handlers_own_is_replayed()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) => { context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = "Fine"; }).WithIdempotency(),
            kestrel: true);
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.Equal("Fine", first.ReasonPhrase);
        Assert.Equal("Fine", replay.ReasonPhrase);
    }

    [Theory]
    [InlineData("""{"a":1}""", """{"a":1,"serverCacheHit":true}""")]
    [InlineData("""{}""", """{"serverCacheHit":true}""")]
    [InlineData(""" { } """, """ {"serverCacheHit":true } """)]
    [InlineData("{\n  \"a\" : [1, {\"serverCacheHit\": false}]\n}", "{\n  \"a\" : [1, {\"serverCacheHit\": false}],\"serverCacheHit\":true\n}")]
    [InlineData("""{"serverCacheHit": false, "b": 2}""", """{"serverCacheHit": true, "b": 2}""")]
    [InlineData("""{"server\u0043acheHit":{"deep":[1]},"b":2}""", """{"server\u0043acheHit":true,"b":2}""")]
    [InlineData("""{"serverCacheHit":1,"serverCacheHit":"two"}""", """{"serverCacheHit":true,"serverCacheHit":true}""")]
    [InlineData("""[{"a":1}]""", """[{"a":1}]""")]
    [InlineData("\"text\"", "\"text\"")]
    [InlineData("""{"a":""", """{"a":""")]
    [InlineData("""{"a":1} trailing""", """{"a":1} trailing""")]
    [InlineData("", "")]
    public async Task A_replayed_JSON_object_carries_the_flag_and_no_other_byte_changes(string body, string replayed)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => Results.Bytes(Encoding.UTF8.GetBytes(body), "application/json")).WithIdempotency());
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        using var again = await api.SendAsync();
        Assert.Equal(body, await first.TextAsync());
        Assert.Equal(replayed, await replay.TextAsync());
        Assert.Equal(replayed, await again.TextAsync());
        Assert.Equal(first.Headers.ETag, replay.Headers.ETag);
        Assert.True(first.Headers.ETag!.IsWeak);
    }

    [Fact]
    public async Task A_name_with_half_a_surrogate_pair_is_left_alone_and_a_flag_name_is_found_however_it_is_escaped()
    {
        await using var api = await Api.StartAsync(app =>
        {
            app.MapPost("/half", () => Results.Text("{\"\\ud800aaaaaaaaaaaaaa\":1}", "application/json")).WithIdempotency();
            app.MapPost("/name", () => Results.Text("{\"répété+\":false,\"id\":1}", "application/json", System.Text.Encoding.UTF8)).WithIdempotency(new IdempotencyPolicy { ReplayFlagName = "répété+" });
        });
        foreach (var (path, body) in new[] { ("/half", "{\"\\ud800aaaaaaaaaaaaaa\":1}"), ("/name", "{\"répété+\":true,\"id\":1}") })
        {
            using var first = await api.SendAsync(path);
            using var replay = await api.SendAsync(path);
            Assert.True(replay.IsReplay());
            Assert.Equal(body, await replay.TextAsync());
        }
    }

    [Fact]
    public async Task The_flag_goes_very_deep_JSON_notwithstanding()
    {
        var deep = "{\"a\":" + new string('[', 5000) + new string(']', 5000) + "}";
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => Results.Text(deep, "application/json")).WithIdempotency());
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.Equal(deep[..^1] + ",\"serverCacheHit\":true}", await replay.TextAsync());
    }

    [Theory]
    [InlineData("Content-Encoding", "gzip")]
    [InlineData("Content-Digest", "sha-256=:x:")]
    [InlineData("Content-Range", "bytes 0-6/100")]
    public async Task A_body_whose_bytes_the_handler_vouched_for_is_left_alone(string header, string value)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) =>
        {
            context.Response.Headers[header] = value;
            return Results.Text("{\"a\":1}", "application/json");
        }).WithIdempotency());
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal("{\"a\":1}", await replay.TextAsync());
        Assert.False(replay.Headers.ETag!.IsWeak);
    }

    [Fact]
    public async Task The_flag_can_be_renamed_or_switched_off()
    {
        await using var api = await Api.StartAsync(app =>
        {
            app.MapPost("/renamed", () => new { a = 1 }).WithIdempotency(new IdempotencyPolicy { ReplayFlagName = "wasRe\"played" });
            app.MapPost("/off", () => new { a = 1 }).WithIdempotency(new IdempotencyPolicy { ReplayFlagName = null });
        });
        using var _ = await api.SendAsync("/renamed");
        using var renamed = await api.SendAsync("/renamed");
        using var first = await api.SendAsync("/off");
        using var off = await api.SendAsync("/off");
        Assert.Equal("""{"a":1,"wasRe\u0022played":true}""", await renamed.TextAsync());
        Assert.True(off.IsReplay());
        Assert.Equal("""{"a":1}""", await off.TextAsync());
        Assert.False(first.Headers.ETag!.IsWeak);
        Assert.Equal(first.Headers.ETag, off.Headers.ETag);
    }

    [Fact]
    public async Task An_ETag_is_of_one_record_and_of_no_other_even_under_the_same_key()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(new IdempotencyPolicy { Retention = TimeSpan.FromMinutes(1) }));
        using var first = await api.SendAsync(key: "a");
        using var replay = await api.SendAsync(key: "a");
        using var other = await api.SendAsync(key: "b");
        api.Time.Advance(TimeSpan.FromMinutes(2));
        using var later = await api.SendAsync(key: "a");
        Assert.True(replay.IsReplay());
        Assert.False(later.IsReplay());
        Assert.Equal(first.Headers.ETag, replay.Headers.ETag);
        Assert.Equal(3, new[] { first, other, later }.Select(answer => answer.Headers.ETag!.Tag).Distinct().Count());
        Assert.All([first, other, later], answer => Assert.Matches("^\"[A-Za-z0-9_-]{22}\"$", answer.Headers.ETag!.Tag));
    }

    [Fact]
    public async Task An_ETag_does_not_show_the_claims_owner_to_a_client_that_can_work_out_the_stored_key()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency());
        using var answer = await api.SendAsync(key: "a");
        var tag = Base64Url.DecodeFromChars(answer.Headers.ETag!.Tag.AsSpan().Trim('"'));
        var key = new byte[Sha256Hash.Length];
        RequestIdentity.StoreKeyOf(new IdempotencyRecordQuery { Method = "POST", Path = "/", Key = "a" }, "a").Hash.CopyTo(key);
        Assert.Equal(Sha256Hash.FromBytes(key), api.Store.LastKey.Hash);
        var owner = api.Store.LastOwner.ToByteArray();
        Assert.NotEqual(owner, tag);
        Assert.DoesNotContain(owner.Zip(tag, (left, right) => (byte)(left ^ right)).ToArray(), key.Chunk(owner.Length));
    }

    [Fact]
    public async Task The_handlers_own_ETag_is_kept_and_none_is_made_when_the_policy_says_so()
    {
        await using var api = await Api.StartAsync(app =>
        {
            app.MapPost("/own", (HttpContext context) => { context.Response.Headers.ETag = "\"mine\""; return new { a = 1 }; }).WithIdempotency();
            app.MapPost("/none", () => new { a = 1 }).WithIdempotency(new IdempotencyPolicy { EmitETag = false });
        });
        using var own = await api.SendAsync("/own");
        using var ownReplay = await api.SendAsync("/own");
        using var none = await api.SendAsync("/none");
        using var noneReplay = await api.SendAsync("/none");
        Assert.Equal("\"mine\"", own.Headers.ETag!.ToString());
        Assert.Equal("\"mine\"", ownReplay.Headers.ETag!.ToString());
        Assert.Null(none.Headers.ETag);
        Assert.Null(noneReplay.Headers.ETag);
        Assert.True(noneReplay.IsReplay());
    }

    [Fact]
    public async Task A_replay_whose_ETag_the_client_has_is_not_modified_and_that_is_not_recorded()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) =>
        {
            context.Response.Headers["X-Mine"] = "1";
            context.Response.Headers.Vary = "Accept";
            return Results.Created("/1", new { a = 1 });
        }).WithIdempotency(), kestrel: true);
        using var first = await api.SendAsync();
        var tag = first.Headers.ETag!.ToString();
        foreach (var list in new[] { tag, $"\"other\", {tag}", tag[2..] })
        {
            using var same = await api.SendAsync(with: request => request.Headers.TryAddWithoutValidation("If-None-Match", list));
            Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
            Assert.Equal(tag, same.Headers.ETag!.ToString());
            Assert.Equal("Accept", same.Header("Vary"));
            Assert.Null(same.Header("X-Mine"));
            Assert.True(same.IsReplay());
            Assert.Empty(await same.BytesAsync());
        }

        foreach (var list in new[] { "*", "\"other\"", "garbage" })
        {
            using var whole = await api.SendAsync(with: request => request.Headers.TryAddWithoutValidation("If-None-Match", list));
            Assert.Equal(HttpStatusCode.Created, whole.StatusCode);
            Assert.Contains("serverCacheHit", await whole.TextAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_error_is_replayed_whole_whatever_the_client_has()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => Results.BadRequest(new { no = 1 })).WithIdempotency());
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync(with: request => request.Headers.IfNoneMatch.Add(first.Headers.ETag!));
        Assert.Equal(HttpStatusCode.BadRequest, replay.StatusCode);
    }

    [Fact]
    public async Task Not_modified_can_be_switched_off()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "text").WithIdempotency(new IdempotencyPolicy { AnswerNotModified = false }));
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync(with: request => request.Headers.IfNoneMatch.Add(first.Headers.ETag!));
        Assert.Equal(HttpStatusCode.OK, replay.StatusCode);
        Assert.True(replay.IsReplay());
    }

    [Fact]
    public async Task Client_caching_tells_how_long_the_record_still_lasts()
    {
        await using var api = await Api.StartAsync(app =>
        {
            var policy = new IdempotencyPolicy { ClientCaching = true, Retention = TimeSpan.FromSeconds(100) };
            app.MapPost("/", () => new { a = 1 }).WithIdempotency(policy);
            app.MapPost("/own", (HttpContext context) => { context.Response.Headers.CacheControl = "public"; return "x"; }).WithIdempotency(policy);
        });
        using var first = await api.SendAsync();
        api.Time.Advance(TimeSpan.FromSeconds(40));
        using var replay = await api.SendAsync();
        using var own = await api.SendAsync("/own");
        using var ownReplay = await api.SendAsync("/own");
        Assert.Equal("max-age=100, private", first.Header("Cache-Control"));
        Assert.Equal("max-age=60, private", replay.Header("Cache-Control"));
        Assert.Equal("Idempotency-Key", replay.Header("Vary"));
        Assert.Equal("Idempotency-Key", first.Header("Vary"));
        Assert.Equal("public", own.Header("Cache-Control"));
        Assert.Equal("public", ownReplay.Header("Cache-Control"));
    }

    private static async IAsyncEnumerable<int> Numbers()
    {
        for (var i = 0; i < 3; i++)
        {
            await Task.Yield();
            yield return i;
        }
    }

    private static string WriteBinaryFile()
    {
        var path = Path.Combine(AppContext.BaseDirectory, "binary.bin");
        File.WriteAllBytes(path, Binary);
        return path;
    }

    private static Task<Api> StartAsync(bool kestrel) => Api.StartAsync(
        app =>
        {
            foreach (var (name, handler) in Handlers)
            {
                app.MapPost("/bare/" + name, handler);
                app.MapPost("/" + name, handler).WithIdempotency(new IdempotencyPolicy { ReplayFlagName = null });
            }

            app.MapControllers();
        },
        services: services => services.AddControllers().AddApplicationPart(typeof(ReplayTests).Assembly),
        kestrel: kestrel);
}

[Route("bare/mvc")]
public class BareKindsController : ControllerBase
{
    [HttpPost("object")]
    public IActionResult AsObject() => Ok(new { a = 1, text = "ä" });

    [HttpPost("status")]
    public IActionResult AsStatus() => StatusCode(202);

    [HttpPost("json")]
    public IActionResult AsJson() => new JsonResult(new { a = 1 }) { StatusCode = 201 };

    [HttpPost("file")]
    public IActionResult AsFile() => File(Encoding.UTF8.GetBytes("content"), "text/csv", "a.csv");

    [HttpPost("redirect")]
    public IActionResult AsRedirect() => Redirect("/elsewhere");

    [HttpPost("content")]
    public IActionResult AsContent() => Content("<b>x</b>", "text/html", Encoding.UTF8);

    [HttpPost("empty")]
    public void AsEmpty()
    {
    }

    [HttpPost("created")]
    public ActionResult<IEnumerable<int>> AsCreated() => Created("/1", new[] { 1, 2 });
}

[Route("mvc")]
[Idempotent("exact")]
public sealed class KindsController : BareKindsController;
