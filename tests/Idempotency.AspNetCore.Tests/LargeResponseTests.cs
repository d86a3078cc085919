using System.Net;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What is too large to keep streams through, is marked, and is never run again.</summary>
public sealed class LargeResponseTests
{
    private const int Limit = 10_000;
    private static readonly IdempotencyPolicy Policy = new() { MaxResponseBodySize = Limit, ReplayFlagName = null };
    private static readonly string File = WriteFile();

    private static readonly Dictionary<string, Func<HttpContext, int, Task>> Writers = new()
    {
        ["one write"] = (context, size) => context.Response.Body.WriteAsync(Content(size)).AsTask(),
        ["many writes"] = async (context, size) =>
        {
            for (var i = 0; i < size; i += 1000)
            {
                await context.Response.Body.WriteAsync(Content(size).AsMemory(i, Math.Min(1000, size - i)));
            }
        },
        ["writer"] = async (context, size) =>
        {
            for (var i = 0; i < size; i += 1000)
            {
                var count = Math.Min(1000, size - i);
                Content(size).AsSpan(i, count).CopyTo(context.Response.BodyWriter.GetSpan(count));
                context.Response.BodyWriter.Advance(count);
                await context.Response.BodyWriter.FlushAsync();
            }
        },
        ["writer never flushed"] = (context, size) =>
        {
            Content(size).CopyTo(context.Response.BodyWriter.GetSpan(size));
            context.Response.BodyWriter.Advance(size);
            return Task.CompletedTask;
        },
        ["file"] = (context, size) => context.Response.SendFileAsync(File, 0, size),
        ["with length"] = (context, size) => { context.Response.ContentLength = size; return context.Response.Body.WriteAsync(Content(size)).AsTask(); },
        ["text then file"] = async (context, size) => { await context.Response.Body.WriteAsync(Content(size).AsMemory(0, 100)); await context.Response.SendFileAsync(File, 100, size - 100); },
    };

    public static TheoryData<string, bool> Kinds()
    {
        var kinds = new TheoryData<string, bool>();
        foreach (var name in Writers.Keys)
        {
            kinds.Add(name, false);
            kinds.Add(name, true);
        }

        return kinds;
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task The_first_caller_gets_it_in_full_and_a_retry_is_refused(string kind, bool kestrel)
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpContext context, int size) =>
            {
                runs++;
                context.Response.StatusCode = 201;
                context.Response.Headers["X-Mine"] = "1";
                context.Response.OnStarting(() => { context.Response.Headers["X-Late"] = "1"; return Task.CompletedTask; });
                await Writers[kind](context, size);
            }).WithIdempotency(Policy),
            outer: app => app.Use((context, next) =>
            {
                context.Response.OnStarting(() => { context.Response.Headers["X-Outer"] = "1"; return Task.CompletedTask; });
                return next(context);
            }),
            kestrel: kestrel);
        foreach (var size in new[] { Limit + 1, 5 * Limit })
        {
            using var first = await api.SendAsync($"/?size={size}", key: $"{size}");
            Assert.Equal(HttpStatusCode.Created, first.StatusCode);
            Assert.Equal(Content(size), await first.BytesAsync());
            Assert.Equal("1", first.Header("X-Mine"));
            Assert.Equal("1", first.Header("X-Late"));
            Assert.Equal("1", first.Header("X-Outer"));
            var asked = api.Store.AllCalls;
            for (var i = 0; i < 3; i++)
            {
                using var retry = await api.SendAsync($"/?size={size}", key: $"{size}");
                await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
            }

            Assert.Equal(asked, api.Store.AllCalls);
        }

        using var fits = await api.SendAsync($"/?size={Limit}", key: "fits");
        using var replay = await api.SendAsync($"/?size={Limit}", key: "fits");
        Assert.True(replay.IsReplay());
        Assert.Equal(Content(Limit), await replay.BytesAsync());
        Assert.Equal(3, runs);
    }

    [Fact]
    public async Task A_larger_payload_than_a_store_holds_is_not_offered_even_for_its_headers()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) =>
        {
            context.Response.Headers["X-Big"] = new string('x', 2000);
            return ++runs;
        }).WithIdempotency());
        api.Store.MaxPayloadSize = 1000;
        using var first = await api.SendAsync();
        var record = await api.Store.Inner.ReadAsync(api.Store.LastKey, default);
        Assert.InRange(record!.Payload.Length, 1, 1000);
    }

    [Fact]
    public async Task It_is_recorded_before_its_first_byte_is_sent_and_streams_from_then_on()
    {
        var gate = new Gate();
        var recorded = new Gate();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpContext context) =>
            {
                await context.Response.Body.WriteAsync(Content(Limit + 1));
                await gate.PassAsync();
                await context.Response.Body.WriteAsync(Content(10));
            }).WithIdempotency(Policy),
            kestrel: true);
        api.Store.Before = operation => operation == "complete" ? recorded.PassAsync() : Task.CompletedTask;
        var sending = api.Client.SendAsync(Api.Request(), HttpCompletionOption.ResponseHeadersRead);
        await recorded.ArrivedAsync();
        Assert.False(sending.IsCompleted);
        recorded.Open();
        using var response = await sending;
        using var body = await response.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[Limit + 1]);
        await gate.ArrivedAsync();
        using (var retry = await api.SendAsync())
        {
            await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
        }

        gate.Open();
        await body.ReadExactlyAsync(new byte[10]);
        Assert.Equal(0, await body.ReadAsync(new byte[1]));
    }

    [Fact]
    public async Task Server_sent_events_stream_from_the_first_event_and_are_not_run_again()
    {
        var gate = new Gate();
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () =>
            {
                runs++;
                return TypedResults.ServerSentEvents(Events());
            }).WithIdempotency(),
            kestrel: true);
        using var response = await api.Client.SendAsync(Api.Request(), HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Equal("data: one", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        gate.Open();
        Assert.Contains("data: two", await reader.ReadToEndAsync(), StringComparison.Ordinal);
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
        Assert.Equal(1, runs);

        async IAsyncEnumerable<string> Events()
        {
            yield return "one";
            await gate.PassAsync();
            yield return "two";
        }
    }

    [Fact]
    public async Task An_error_that_is_large_streams_and_frees_the_key_when_the_handler_is_done()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            runs++;
            context.Response.StatusCode = 500;
            await context.Response.Body.WriteAsync(Content(3 * Limit));
        }).WithIdempotency(Policy), kestrel: true);
        using var first = await api.SendAsync();
        using var second = await api.SendAsync();
        Assert.Equal(Content(3 * Limit), await first.BytesAsync());
        Assert.Equal(HttpStatusCode.InternalServerError, second.StatusCode);
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task A_handler_that_fails_after_it_streamed_is_not_run_again()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            runs++;
            await context.Response.Body.WriteAsync(Content(3 * Limit));
            throw new InvalidTimeZoneException();
        }).WithIdempotency(Policy), kestrel: true);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => api.SendAsync());
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task A_handler_that_streams_past_a_store_that_was_away_keeps_its_claim_and_is_recorded_in_the_end()
    {
        var gate = new Gate();
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpContext context) =>
            {
                runs++;
                await context.Response.Body.WriteAsync(Content(Limit + 1));
                await gate.PassAsync();
                await context.Response.Body.WriteAsync(Content(10));
            }).WithIdempotency(Policy),
            options => options.LocalCacheMaxEntries = 0,
            kestrel: true);
        var away = true;
        api.Store.Before = operation => operation == "complete" && away ? throw new IOException("away") : Task.CompletedTask;
        var sending = api.Client.SendAsync(Api.Request(), HttpCompletionOption.ResponseHeadersRead);
        await api.Time.PassUntilDoneAsync(sending, "giving up recording first");
        using var response = await sending;
        Assert.Equal("false", response.Header("Idempotency-Stored"));
        await gate.ArrivedAsync();
        away = false;
        for (var i = 0; i < 10; i++)
        {
            var renewals = api.Store.Calls("renew");
            api.Time.Advance(TimeSpan.FromSeconds(20));
            await Eventually.TrueAsync(() => api.Store.Calls("renew") > renewals, "a renewal");
            using var duplicate = await api.SendAsync();
            await duplicate.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        }

        gate.Open();
        Assert.Equal(Limit + 11, (await response.BytesAsync()).Length);
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task What_has_begun_to_stream_is_told_to_its_end_also_when_another_attempt_has_recorded_meanwhile()
    {
        var gate = new Gate();
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpContext context) =>
            {
                if (++runs == 1)
                {
                    await context.Response.Body.WriteAsync(Content(Limit + 1));
                    await gate.PassAsync();
                    await context.Response.Body.WriteAsync(Content(10));
                }
            }).WithIdempotency(Policy),
            options => options.LocalCacheMaxEntries = 0,
            kestrel: true);
        api.Store.Before = operation => operation is "complete" or "renew" ? throw new IOException("away") : Task.CompletedTask;
        var sending = api.Client.SendAsync(Api.Request(), HttpCompletionOption.ResponseHeadersRead);
        await api.Time.PassUntilDoneAsync(sending, "giving up recording first");
        using var response = await sending;
        await gate.ArrivedAsync();
        api.Time.Advance(TimeSpan.FromSeconds(61));
        api.Store.Before = null;
        using var successor = await api.SendAsync();
        Assert.Equal(HttpStatusCode.OK, successor.StatusCode);
        gate.Open();
        Assert.Equal(Limit + 11, (await response.BytesAsync()).Length);
        Assert.Equal("false", response.Header("Idempotency-Stored"));
        using var retry = await api.SendAsync();
        Assert.True(retry.IsReplay());
        Assert.Empty(await retry.BytesAsync());
    }

    [Fact]
    public async Task An_answer_to_HEAD_has_no_size()
    {
        await using var api = await Api.StartAsync(
            app => app.MapMethods("/", ["HEAD"], async (HttpContext context) =>
            {
                context.Response.ContentLength = 5 * Limit;
                await context.Response.Body.WriteAsync(Content(Limit));
                await context.Response.SendFileAsync(File, 0, 4 * Limit);
            }).WithIdempotency(Policy with { Methods = ["HEAD"] }),
            kestrel: true);
        using var first = await api.SendAsync(method: HttpMethod.Head, json: null);
        using var replay = await api.SendAsync(method: HttpMethod.Head, json: null);
        Assert.True(replay.IsReplay());
        Assert.Equal(5 * Limit, replay.Content.Headers.ContentLength);
    }

    [Fact]
    public async Task What_the_store_cannot_hold_completes_without_a_body()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/{size:int}", (int size) => { runs++; var bytes = new byte[size]; new Random(1).NextBytes(bytes); return Results.Bytes(bytes); }).WithIdempotency());
        api.Store.MaxPayloadSize = 5000;
        using var first = await api.SendAsync("/6000");
        Assert.Equal(6000, (await first.BytesAsync()).Length);
        using var retry = await api.SendAsync("/6000");
        await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
        using var fits = await api.SendAsync("/4000");
        using var replay = await api.SendAsync("/4000");
        Assert.True(replay.IsReplay());
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task What_compresses_is_kept_compressed_and_replayed_as_it_was()
    {
        var text = string.Concat(Enumerable.Repeat("{\"compressible\":true}", 2000));
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => Results.Text(text)).WithIdempotency(), options => options.LocalCacheMaxEntries = 0);
        api.Store.MaxPayloadSize = 5000;
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal(text, await replay.TextAsync());
        var record = await api.Store.Inner.ReadAsync(api.Store.LastKey, default);
        Assert.InRange(record!.Payload.Length, 50, 1000);
    }

    [Fact]
    public async Task A_handler_that_only_disables_buffering_streams()
    {
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            context.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
            await context.Response.StartAsync();
            await gate.PassAsync();
        }).WithIdempotency(), kestrel: true);
        using var response = await api.Client.SendAsync(Api.Request(), HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        gate.Open();
        Assert.Empty(await response.BytesAsync());
    }

    private static byte[] Content(int size) => [.. Enumerable.Range(0, size).Select(i => (byte)(i * 31))];

    private static string WriteFile()
    {
        var path = Path.Combine(AppContext.BaseDirectory, "large.bin");
        System.IO.File.WriteAllBytes(path, Content(6 * Limit));
        return path;
    }
}
