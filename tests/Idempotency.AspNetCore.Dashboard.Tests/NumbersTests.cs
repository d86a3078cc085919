using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore.Dashboard.Tests;

/// <summary>The numbers of the page are those of the library's meter.</summary>
public sealed class NumbersTests
{
    private const string StoreCalls = "idempotency.store.operation.duration";

    private static void MapBank(WebApplication app)
    {
        app.MapPost("/pay", static (HttpContext context) => context.Request.Query.ContainsKey("busy") ? Results.StatusCode(503) : Results.Ok()).WithIdempotency();
        app.MapPost("/lenient", static () => "x").WithIdempotency(new IdempotencyPolicy { KeyRequired = false, WhenStoreUnavailable = StoreUnavailableBehavior.Execute });
    }

    private static JsonElement Source(JsonElement numbers, string name) =>
        numbers.GetProperty("sources").EnumerateArray().Single(source => source.GetProperty("name").GetString()!.Split(' ').Contains(name)); // with or without a method

    private static long Outcome(JsonElement source, string name) => source.GetProperty("outcomes").TryGetProperty(name, out var outcome) ? outcome.GetProperty("count").GetInt64() : 0;

    [Fact]
    public async Task The_page_and_the_metrics_agree()
    {
        await using var site = await Site.StartAsync(MapBank);
        using var metrics = new Measurements(site.Services);
        await site.NumbersAsync(); // the first viewer
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await site.PayAsync(key: $"key-{i}"));
        }

        for (var i = 0; i < 3; i++)
        {
            await site.PayAsync(key: "key-0");
        }

        await site.PayAsync(key: "key-0", json: "[]");
        await site.PayAsync(key: null);
        await site.PayAsync(key: "a,b");
        await site.PayAsync("/pay?busy", key: "busy");
        await site.PayAsync("/lenient", key: null);
        var executor = site.Services.GetRequiredService<IIdempotentExecutor>();
        await executor.ExecuteAsync("nightly", "2026-11-28", static (_, _) => Task.CompletedTask);
        await executor.ExecuteAsync("nightly", "2026-11-28", static (_, _) => Task.CompletedTask);
        site.Store.Before = static operation => operation == "claim" ? throw new IOException("away") : Task.CompletedTask;
        await site.PayAsync(key: "new");
        await site.PayAsync("/lenient");
        site.Store.Before = null;
        await Eventually.TrueAsync(() => metrics.Of(StoreCalls, ("idempotency.store.operation", "release")).Count == 3, "the releases in the background");

        var numbers = await site.NumbersAsync();
        foreach (var route in new[] { "/pay", "/lenient" })
        {
            var source = Source(numbers, route);
            Assert.Equal("endpoint", source.GetProperty("kind").GetString());
            Assert.Equal(metrics.Sum("idempotency.requests", ("http.route", route)), source.GetProperty("count").GetInt64());
            foreach (var (name, values) in new[] { ("executed", new[] { "executed" }), ("replayed", ["replayed"]), ("unprotected", ["unprotected"]), ("failed", ["released", "failed"]), ("withoutKey", ["without-key"]) })
            {
                Assert.Equal(values.Sum(value => metrics.Sum("idempotency.requests", ("http.route", route), ("idempotency.outcome", value))), Outcome(source, name));
            }

            var codes = source.GetProperty("codes").EnumerateObject().ToDictionary(code => code.Name, code => code.Value.GetInt64());
            Assert.All(codes, code => Assert.Equal(metrics.Sum("idempotency.requests", ("http.route", route), ("idempotency.outcome", code.Key)), code.Value));
            Assert.Equal(codes.Values.Sum(), Outcome(source, "rejected"));
        }

        Assert.Equal((5, 3, 4, 1), (Outcome(Source(numbers, "/pay"), "executed"), Outcome(Source(numbers, "/pay"), "replayed"), Outcome(Source(numbers, "/pay"), "rejected"), Outcome(Source(numbers, "/pay"), "failed")));
        Assert.Equal(1, Outcome(Source(numbers, "/lenient"), "unprotected"));
        var function = Source(numbers, "nightly");
        Assert.Equal("function", function.GetProperty("kind").GetString());
        Assert.Equal(metrics.Sum("idempotency.calls", ("idempotency.operation", "nightly")), function.GetProperty("count").GetInt64());
        Assert.Equal(metrics.Sum("idempotency.requests") + metrics.Sum("idempotency.calls"), numbers.GetProperty("total").GetProperty("count").GetInt64());

        // Store calls, their errors, and the local cache.
        var operations = numbers.GetProperty("store").GetProperty("operations").EnumerateArray().ToDictionary(operation => operation.GetProperty("name").GetString()!);
        Assert.Equal(metrics.ValuesOf(StoreCalls, "idempotency.store.operation").Order(), operations.Keys.Order());
        foreach (var (name, operation) in operations)
        {
            var measured = metrics.Of(StoreCalls, ("idempotency.store.operation", name)).Order().ToList();
            Assert.Equal(measured.Count, operation.GetProperty("calls").GetInt64());
            Assert.Equal(metrics.Of(StoreCalls, ("idempotency.store.operation", name), ("idempotency.store.result", "error")).Count, operation.GetProperty("errors").GetInt64());
            foreach (var (quantile, share) in new[] { ("p50", 0.5), ("p99", 0.99) })
            {
                var exact = Math.Max(1e-6, measured[(int)Math.Ceiling(share * measured.Count) - 1]) * 1000;
                Assert.InRange(operation.GetProperty(quantile).GetDouble(), exact * 0.9, exact * 1.1);
            }
        }

        Assert.Equal(2, numbers.GetProperty("store").GetProperty("errorTypes").GetProperty("System.IO.IOException").GetInt64());
        var cache = numbers.GetProperty("cache");
        Assert.Equal(metrics.Sum("idempotency.local_cache.lookups", ("idempotency.local_cache.result", "hit")), cache.GetProperty("hits").GetInt64());
        Assert.Equal(metrics.Sum("idempotency.local_cache.lookups", ("idempotency.local_cache.result", "miss")), cache.GetProperty("misses").GetInt64());
        Assert.Equal(metrics.Observe("idempotency.local_cache.entries"), cache.GetProperty("entries").GetInt64());
    }

    [Fact]
    public async Task Takeovers_lost_claims_failed_renewals_and_running_claims_are_those_of_the_metrics()
    {
        var gate = new Gate();
        var runs = 0;
        await using var site = await Site.StartAsync(app => app.MapPost("/pay", async () =>
        {
            if (Interlocked.Increment(ref runs) == 1)
            {
                await gate.PassAsync();
            }
        }).WithIdempotency());
        using var metrics = new Measurements(site.Services);
        await site.NumbersAsync();
        site.Store.Before = static operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var late = site.PayAsync();
        await gate.ArrivedAsync();
        site.Time.Advance(TimeSpan.FromSeconds(12));
        var running = (await site.NumbersAsync()).GetProperty("running");
        Assert.Equal(metrics.Observe("idempotency.claims.active"), running.GetProperty("count").GetInt64());
        var claim = Assert.Single(running.GetProperty("claims").EnumerateArray());
        Assert.Equal(site.Store.LastKey.ToString(), claim.GetProperty("storeKey").GetString());
        Assert.Equal((12, 60, 48), (claim.GetProperty("seconds").GetDouble(), claim.GetProperty("leaseSeconds").GetDouble(), claim.GetProperty("leaseSecondsLeft").GetDouble()));

        for (var i = 0; i < 20; i++)
        {
            site.Time.Advance(TimeSpan.FromSeconds(10));
        }

        await Eventually.TrueAsync(() => metrics.Sum("idempotency.renewals.failed") > 0, "a renewal fails");
        Assert.True((await site.NumbersAsync()).GetProperty("running").GetProperty("claims")[0].GetProperty("leaseSecondsLeft").GetDouble() < 0);
        await site.PayAsync();
        gate.Open();
        await late;
        var numbers = await site.NumbersAsync();
        Assert.Equal(1, numbers.GetProperty("takenOver").GetProperty("count").GetInt64());
        Assert.Equal(metrics.Sum("idempotency.claims.takeovers"), numbers.GetProperty("takenOver").GetProperty("count").GetInt64());
        Assert.Equal(metrics.Sum("idempotency.claims.lost"), numbers.GetProperty("lost").GetProperty("count").GetInt64());
        Assert.Equal(metrics.Sum("idempotency.renewals.failed"), numbers.GetProperty("renewalsFailed").GetProperty("count").GetInt64());
        Assert.Equal(0, numbers.GetProperty("running").GetProperty("count").GetInt64());
    }

    [Fact]
    public async Task Charts_have_fifteen_minutes_in_slots_of_fifteen_seconds()
    {
        await using var site = await Site.StartAsync(MapBank);
        await site.NumbersAsync();
        await site.PayAsync(key: "1");
        await site.NumbersAsync();
        site.Time.Advance(TimeSpan.FromSeconds(30));
        await site.PayAsync(key: "2");
        await site.PayAsync(key: "3");
        var series = Source(await site.NumbersAsync(), "/pay").GetProperty("outcomes").GetProperty("executed").GetProperty("series");
        Assert.Equal(60, series.GetArrayLength());
        Assert.Equal([1, 0, 2], series.EnumerateArray().TakeLast(3).Select(count => count.GetInt32()));

        // A poll now and then keeps it watching; what is older than fifteen minutes is gone.
        for (var i = 0; i < 4; i++)
        {
            site.Time.Advance(TimeSpan.FromMinutes(3.5));
            await site.NumbersAsync();
        }

        Assert.Equal(3, Outcome(Source(await site.NumbersAsync(), "/pay"), "executed"));
        site.Time.Advance(TimeSpan.FromSeconds(45));
        Assert.Equal(2, Outcome(Source(await site.NumbersAsync(), "/pay"), "executed"));
        site.Time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(0, (await site.NumbersAsync()).GetProperty("total").GetProperty("count").GetInt64());
    }

    [Fact]
    public async Task A_dashboard_that_nobody_looks_at_measures_nothing()
    {
        await using var site = await Site.StartAsync(MapBank);
        var instruments = new List<Instrument>();
        using var observer = new MeterListener();
        observer.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Name == "Idempotency.AspNetCore" && instrument.Meter.Scope == site.Services.GetRequiredService<IMeterFactory>())
            {
                instruments.Add(instrument);
            }
        };
        observer.Start();
        await site.PayAsync(key: "1");
        Assert.NotEmpty(instruments);
        Assert.All(instruments, instrument => Assert.False(instrument.Enabled, instrument.Name));

        using (var stream = await site.AskAsync("/idempotency/numbers/live", headersOnly: true))
        {
            Assert.Contains(instruments, instrument => instrument is { Name: "idempotency.requests", Enabled: true });
            site.Time.Advance(TimeSpan.FromMinutes(4)); // it stays as long as somebody looks
            Assert.Contains(instruments, instrument => instrument.Enabled);
        }

        // The server notices that the viewer left; five minutes later nothing is measured any more.
        await Eventually.TrueAsync(
            () =>
            {
                site.Time.Advance(TimeSpan.FromMinutes(5.1));
                return instruments.All(static instrument => !instrument.Enabled);
            },
            "the listener stops");
        var numbers = await site.NumbersAsync();
        Assert.Equal(0, numbers.GetProperty("total").GetProperty("count").GetInt64());
        Assert.Equal(site.Time.GetUtcNow(), numbers.GetProperty("watchingSince").GetDateTimeOffset());
        site.Time.Advance(TimeSpan.FromMinutes(4.9));
        await site.NumbersAsync(); // a poll counts as a look, too
        site.Time.Advance(TimeSpan.FromMinutes(4.9));
        Assert.Contains(instruments, instrument => instrument.Enabled);
        site.Time.Advance(TimeSpan.FromMinutes(0.2));
        Assert.All(instruments, instrument => Assert.False(instrument.Enabled, instrument.Name));
    }

    [Fact]
    public async Task A_measurement_allocates_nothing_while_somebody_looks()
    {
        const int Rounds = 200;
        const int Times = 1000;
        await using var site = await Site.StartAsync(MapBank);
        await site.PayAsync();
        await site.NumbersAsync();
        var meter = site.Services.GetRequiredService<IMeterFactory>().Create("Idempotency.AspNetCore");
        var requests = meter.CreateCounter<long>("idempotency.requests");
        var calls = meter.CreateHistogram<double>(StoreCalls);
        void Measure()
        {
            requests.Add(1, new("idempotency.outcome", "executed"), new("http.route", "/pay"));
            calls.Record(0.002, new("idempotency.store.operation", "claim"), new("idempotency.store.result", "acquired"));
        }

        Measure();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var shortest = TimeSpan.MaxValue; // of a machine that does other things, too
        for (var round = 0; round < Rounds; round++)
        {
            var started = Stopwatch.GetTimestamp();
            for (var i = 0; i < Times; i++)
            {
                Measure();
            }

            shortest = TimeSpan.FromTicks(Math.Min(shortest.Ticks, Stopwatch.GetElapsedTime(started).Ticks));
        }

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        TestContext.Current.TestOutputHelper?.WriteLine($"A counted request and a timed store call: {shortest.TotalNanoseconds / Times:N0} ns, {allocated / (double)(Rounds * Times):N3} bytes allocated.");
        Assert.InRange(allocated, 0, Rounds * Times / 10); // nothing for each; what the runtime does now and then is not counted against it
        Assert.Equal((Rounds * Times) + 1, Outcome(Source(await site.NumbersAsync(), "/pay"), "executed"));
    }

    [Fact]
    public async Task The_stream_sends_numbers_at_once_and_then_every_second_until_it_must_be_opened_again()
    {
        await using var site = await Site.StartAsync(MapBank);
        using var response = await site.AskAsync("/idempotency/numbers/live", headersOnly: true);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("no", string.Join(",", response.Headers.GetValues("X-Accel-Buffering")));
        using var events = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Equal(0, (await NextAsync(events))!.Value.GetProperty("total").GetProperty("count").GetInt64());
        await site.PayAsync();
        Assert.Equal(1, (await SecondsLaterAsync(site, NextAsync(events)))!.Value.GetProperty("total").GetProperty("count").GetInt64());

        // Who may look is checked again when the browser opens the next stream.
        site.Time.Advance(TimeSpan.FromMinutes(5));
        while (await NextAsync(events) is not null)
        {
        }
    }

    [Fact]
    public async Task Hundreds_of_viewers_see_the_same_and_those_who_leave_hold_nothing_up()
    {
        const int Viewers = 300;
        await using var site = await Site.StartAsync(MapBank);
        var responses = await Task.WhenAll(Enumerable.Range(0, Viewers).Select(_ => site.AskAsync("/idempotency/numbers/live", headersOnly: true)));
        var readers = await Task.WhenAll(responses.Select(async response => new StreamReader(await response.Content.ReadAsStreamAsync())));
        await Task.WhenAll(readers.Select(NextAsync));
        for (var i = 0; i < Viewers; i += 2)
        {
            responses[i].Dispose();
        }

        await site.PayAsync();
        var seen = await SecondsLaterAsync(site, Task.WhenAll(readers.Where((_, i) => i % 2 == 1).Select(NextAsync)));
        Assert.All(seen, numbers => Assert.Equal(1, numbers!.Value.GetProperty("total").GetProperty("count").GetInt64()));
        foreach (var response in responses)
        {
            response.Dispose();
        }
    }

    [Fact]
    public async Task Names_from_code_cannot_break_out_of_the_document()
    {
        const string Hostile = "</script><img src=x onerror=alert(1)>\n\ndata: {}\u2028";
        await using var site = await Site.StartAsync(MapBank);
        await site.NumbersAsync();
        await site.Services.GetRequiredService<IIdempotentExecutor>().ExecuteAsync(Hostile, "key", static (_, _) => Task.CompletedTask);
        using var response = await site.AskAsync("/idempotency/numbers/live", headersOnly: true);
        using var events = new StreamReader(await response.Content.ReadAsStreamAsync());
        var line = await events.ReadLineAsync();
        Assert.StartsWith("data: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("<", line, StringComparison.Ordinal);
        Assert.Equal(Hostile, JsonDocument.Parse(line![6..]).RootElement.GetProperty("sources")[0].GetProperty("name").GetString());
        Assert.Equal("", await events.ReadLineAsync());
    }

    [Fact]
    public async Task Thousands_of_endpoints_are_counted_in_bounded_memory_and_a_bounded_document()
    {
        await using var site = await Site.StartAsync(MapBank);
        await site.NumbersAsync();
        var requests = site.Services.GetRequiredService<IMeterFactory>().Create("Idempotency.AspNetCore").CreateCounter<long>("idempotency.requests");
        for (var i = 0; i < 5000; i++)
        {
            requests.Add(i < 10 ? 2 : 1, new("idempotency.outcome", "executed"), new("http.route", $"/{i}"));
        }

        using var response = await site.AskAsync("/idempotency/numbers");
        var document = await response.Content.ReadAsByteArrayAsync();
        Assert.InRange(document.Length, 1, 64 * 1024);
        var numbers = JsonDocument.Parse(document).RootElement;
        Assert.Equal(50, numbers.GetProperty("sources").GetArrayLength());
        Assert.Equal(5010, numbers.GetProperty("total").GetProperty("count").GetInt64());
        Assert.Equal(5010 - 20 - 40, numbers.GetProperty("others").GetProperty("count").GetInt64());

        // When those have been idle for the whole window, others have room.
        for (var i = 0; i < 8; i++)
        {
            site.Time.Advance(TimeSpan.FromMinutes(2));
            await site.NumbersAsync();
        }

        requests.Add(1, new("idempotency.outcome", "executed"), new("http.route", "/new"));
        Assert.Equal("/new", Assert.Single((await site.NumbersAsync()).GetProperty("sources").EnumerateArray()).GetProperty("name").GetString());
    }

    [Fact]
    public async Task Tags_and_outcomes_of_another_version_are_counted_and_not_hidden()
    {
        await using var site = await Site.StartAsync(MapBank);
        await site.NumbersAsync();
        var meter = site.Services.GetRequiredService<IMeterFactory>().Create("Idempotency.AspNetCore");
        var requests = meter.CreateCounter<long>("idempotency.requests");
        requests.Add(3, new("idempotency.outcome", "teleported"), new("http.route", "/pay"), new("http.request.method", "POST"), new("server.port", 80));
        requests.Add(2, new("http.request.method", "POST"), new("http.route", "/pay"));
        requests.Add(1, new("idempotency.outcome", "not_recorded"), new("http.route", "/pay"), new("http.request.method", "POST"));
        meter.CreateCounter<long>("idempotency.something.new").Add(1);
        var source = Assert.Single((await site.NumbersAsync()).GetProperty("sources").EnumerateArray());
        Assert.Equal("POST /pay", source.GetProperty("name").GetString());
        Assert.Equal((5, 1), (Outcome(source, "other"), Outcome(source, "notRecorded")));
        Assert.Equal(3, source.GetProperty("codes").GetProperty("teleported").GetInt64());
    }

    [Fact]
    public async Task Another_application_in_the_process_is_not_counted()
    {
        await using var site = await Site.StartAsync(MapBank);
        await using var other = await Site.StartAsync(MapBank);
        await site.NumbersAsync();
        await other.PayAsync();
        await site.PayAsync();
        Assert.Equal(1, (await site.NumbersAsync()).GetProperty("total").GetProperty("count").GetInt64());
    }

    /// <summary>Lets time pass, and not so fast that streams end before their viewers are served, until something is there.</summary>
    private static async Task<T> SecondsLaterAsync<T>(Site site, Task<T> task)
    {
        var looks = 0;
        await Eventually.TrueAsync(
            () =>
            {
                if (looks++ % 20 == 0)
                {
                    site.Time.Advance(TimeSpan.FromSeconds(1));
                }

                return task.IsCompleted;
            },
            "an event");
        return await task;
    }

    /// <summary>The next event; null at the end of the stream.</summary>
    private static async Task<JsonElement?> NextAsync(StreamReader events)
    {
        var text = new StringBuilder();
        while (true)
        {
            switch (await events.ReadLineAsync())
            {
                case null:
                    return null;
                case "":
                    return JsonDocument.Parse(text.ToString()).RootElement;
                case var line:
                    Assert.StartsWith("data: ", line, StringComparison.Ordinal);
                    text.Append(line, 6, line.Length - 6);
                    break;
            }
        }
    }
}
