using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What an operator can see: metrics, spans and log events, and never a key.</summary>
public sealed class TelemetryTests
{
    private static readonly string[] Outcomes =
    [
        "executed", "released", "failed", "replayed", "without-key", "idempotency-key-missing", "idempotency-key-invalid", "idempotency-key-reused",
        "idempotency-body-too-large", "idempotency-store-unavailable", "unprotected",
    ];

    [Fact]
    public async Task Requests_are_counted_by_outcome_method_and_route()
    {
        await using var api = await Api.StartAsync(app =>
        {
            app.MapPost("/pay/{id}", (string id) => id switch { "fails" => throw new InvalidTimeZoneException(), "busy" => Results.StatusCode(503), _ => Results.Ok() })
                .WithIdempotency(new IdempotencyPolicy { MaxRequestBodySize = 100 });
            app.MapPost("/optional", () => "x").WithIdempotency(new IdempotencyPolicy { KeyRequired = false, WhenStoreUnavailable = StoreUnavailableBehavior.Execute });
            app.MapPost("/open", () => "x");
            app.MapMethods("/any", ["PATCH", "BREW"], () => "x").WithIdempotency();
        });
        using var meter = new Measurements(api.Services);
        foreach (var method in new[] { "PATCH", "patch", "BREW" })
        {
            (await api.SendAsync("/any", key: method, method: new HttpMethod(method))).Dispose();
        }

        Assert.Equal(2, meter.Sum("idempotency.requests", ("http.route", "/any"), ("http.request.method", "PATCH")));
        Assert.Equal(1, meter.Sum("idempotency.requests", ("http.route", "/any"), ("http.request.method", "_OTHER"))); // a client may send any, and there must not be as many series
        meter.Clear();
        (await api.SendAsync("/pay/1")).Dispose();
        (await api.SendAsync("/pay/1")).Dispose();
        (await api.SendAsync("/pay/1")).Dispose();
        (await api.SendAsync("/pay/1", json: "[1]")).Dispose();
        (await api.SendAsync("/pay/1", key: null)).Dispose();
        (await api.SendAsync("/pay/1", key: "a,b")).Dispose();
        (await api.SendAsync("/pay/1", json: new string(' ', 101))).Dispose();
        (await api.SendAsync("/pay/busy")).Dispose();
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync("/pay/fails"));
        (await api.SendAsync("/optional", key: null)).Dispose();
        (await api.SendAsync("/open")).Dispose();
        api.Store.Before = _ => throw new IOException("away");
        (await api.SendAsync("/pay/2")).Dispose();
        (await api.SendAsync("/optional")).Dispose();
        foreach (var outcome in Outcomes)
        {
            Assert.Equal(outcome == "replayed" ? 2 : 1, meter.Sum("idempotency.requests", ("idempotency.outcome", outcome)));
        }

        Assert.Equal(10, meter.Sum("idempotency.requests", ("http.route", "/pay/{id}")));
        Assert.Equal(2, meter.Sum("idempotency.requests", ("http.route", "/optional")));
        Assert.Equal(12, meter.Sum("idempotency.requests", ("http.request.method", "POST")));
        Assert.Equal(12, meter.Sum("idempotency.requests"));
    }

    [Fact]
    public async Task Store_calls_are_timed_by_operation_and_result()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) => context.Request.Query.ContainsKey("busy") ? Results.StatusCode(503) : Results.Ok(new string('x', 500))).WithIdempotency(), options => options.LocalCacheMaxEntries = 0);
        using var meter = new Measurements(api.Services);
        (await api.SendAsync()).Dispose();
        (await api.SendAsync()).Dispose();
        (await api.SendAsync("/?busy", key: "2")).Dispose();
        api.Store.Before = operation => operation == "claim" ? throw new IOException("away") : Task.CompletedTask;
        (await api.SendAsync(key: "3")).Dispose();
        const string Calls = "idempotency.store.operation.duration";
        Assert.Equal(1, meter.Count(Calls, ("idempotency.store.operation", "claim"), ("idempotency.store.result", "held")));
        Assert.Equal(2, meter.Count(Calls, ("idempotency.store.operation", "claim"), ("idempotency.store.result", "acquired")));
        Assert.Equal(1, meter.Count(Calls, ("idempotency.store.operation", "claim"), ("idempotency.store.result", "error"), ("error.type", "System.IO.IOException")));
        Assert.Equal(1, meter.Count(Calls, ("idempotency.store.operation", "complete"), ("idempotency.store.result", "done")));
        await Eventually.TrueAsync(() => meter.Count(Calls, ("idempotency.store.operation", "release")) == 2, "the release of the answer that is not stored, and of the claim whose reply was lost");
        Assert.InRange(meter.Sum(Calls), 0, 60);
        Assert.Equal(1, meter.Count("idempotency.payload.size"));
        Assert.InRange(meter.Sum("idempotency.payload.size"), 500, 700);
        Assert.Equal(4, meter.Sum("idempotency.local_cache.lookups", ("idempotency.local_cache.result", "miss")));
    }

    [Fact]
    public async Task Running_handlers_takeovers_lost_claims_and_failed_renewals_are_counted()
    {
        var gate = new Gate();
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () =>
        {
            if (Interlocked.Increment(ref runs) == 1)
            {
                await gate.PassAsync();
            }

            return "x";
        }).WithIdempotency());
        using var meter = new Measurements(api.Services);
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var late = api.SendAsync();
        await gate.ArrivedAsync();
        Assert.Equal(1, meter.Observe("idempotency.claims.active"));
        for (var i = 0; i < 20; i++)
        {
            api.Time.Advance(TimeSpan.FromSeconds(20));
        }

        await Eventually.TrueAsync(() => meter.Sum("idempotency.renewals.failed") > 0, "a renewal fails");
        using var successor = await api.SendAsync();
        Assert.Equal(1, meter.Sum("idempotency.claims.takeovers"));
        gate.Open();
        using var replay = await late;
        Assert.True(replay.IsReplay());
        Assert.Equal(1, meter.Sum("idempotency.claims.lost"));
        Assert.Equal(0, meter.Observe("idempotency.claims.active"));
        Assert.Equal(1, meter.Observe("idempotency.local_cache.entries"));
        Assert.Equal(api.CompletedRecords.Bytes, meter.Observe("idempotency.local_cache.size"));
    }

    [Fact]
    public async Task The_in_memory_store_tells_what_it_holds()
    {
        using var services = new ServiceCollection().AddLogging().AddIdempotency().Services.BuildServiceProvider();
        using var meter = new Measurements(services);
        var store = services.GetRequiredService<IIdempotencyStore>();
        services.GetRequiredService<Claims>();
        var claim = new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = default, Attempt = 1, Lease = TimeSpan.FromMinutes(1), Retention = TimeSpan.FromHours(1) };
        await store.ClaimAsync(new StoreKey(Sha256Hash.Of("a"u8)), claim, default);
        await store.CompleteAsync(new StoreKey(Sha256Hash.Of("a"u8)), claim.Owner, new byte[1000], TimeSpan.FromHours(1), default);
        Assert.Equal(1, meter.Observe("idempotency.in_memory_store.records"));
        Assert.Equal(1350, meter.Observe("idempotency.in_memory_store.size"));
        Assert.Equal(new InMemoryIdempotencyStoreOptions().MaxBytes, meter.Observe("idempotency.in_memory_store.limit"));
    }

    [Fact]
    public async Task A_claim_and_a_completion_are_spans_and_the_servers_span_has_the_outcome()
    {
        using var spans = new Spans();
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency());
        for (var i = 0; i < 3; i++)
        {
            using var response = await api.SendAsync(key: "the-raw-key", json: i == 2 ? "[]" : "{}", with: spans.Trace);
        }

        await Eventually.TrueAsync(() => spans.Of("Microsoft.AspNetCore.Hosting.HttpRequestIn").Count == 3, "the server's spans");
        Assert.Equal(["executed", "replayed", "idempotency-key-reused"], spans.Of("Microsoft.AspNetCore.Hosting.HttpRequestIn").Select(Outcome));
        var claim = Assert.Single(spans.Of("idempotency.claim")); // the others were answered from the local cache
        Assert.Equal("acquired", Outcome(claim));
        Assert.Equal(1, claim.GetTagItem("idempotency.attempt"));
        Assert.Equal(api.Store.LastKey.ToString(), claim.GetTagItem("idempotency.store_key"));
        var complete = Assert.Single(spans.Of("idempotency.complete"));
        Assert.Equal("executed", Outcome(complete));
        Assert.Equal((ActivityStatusCode.Unset, null), (complete.Status, complete.GetTagItem("error.type")));
        Assert.All(spans.All, span => Assert.DoesNotContain("the-raw-key", string.Join(";", span.TagObjects), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_span_of_a_rejection_has_the_problems_code_and_has_not_failed()
    {
        using var spans = new Spans();
        var gate = new Gate();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async () =>
            {
                await gate.PassAsync();
                return "x";
            }).WithIdempotency(),
            options => options.LocalCacheMaxEntries = 0);
        var first = api.SendAsync(with: spans.Trace);
        await gate.ArrivedAsync();
        (await api.SendAsync(with: spans.Trace)).Dispose();
        (await api.SendAsync(json: "[]", with: spans.Trace)).Dispose();
        gate.Open();
        (await first).Dispose();
        (await api.SendAsync(with: spans.Trace)).Dispose();
        Assert.Equal(["acquired", "idempotency-request-in-progress", "idempotency-key-reused", "replayed"], spans.Of("idempotency.claim").Select(Outcome));
        Assert.All(spans.Of("idempotency.claim"), span => Assert.Equal((ActivityStatusCode.Unset, null), (span.Status, span.GetTagItem("error.type"))));
    }

    [Fact]
    public async Task A_span_whose_store_fails_says_with_what()
    {
        using var spans = new Spans();
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency());
        api.Store.Before = operation => operation == "claim" ? throw new IOException("away") : Task.CompletedTask;
        (await api.SendAsync(key: "claim", with: spans.Trace)).Dispose();
        AssertFailed(Assert.Single(spans.Of("idempotency.claim")), "idempotency-store-unavailable", "System.IO.IOException", "away");

        api.Store.Before = operation => operation == "complete" ? throw new IOException("gone") : Task.CompletedTask;
        var late = api.SendAsync(key: "complete", with: spans.Trace);
        await Eventually.TrueAsync(
            () =>
            {
                api.Time.Advance(TimeSpan.FromSeconds(5)); // the time for retries is over
                return late.IsCompleted;
            },
            "the response");
        using var response = await late;
        Assert.Equal("false", response.Header("Idempotency-Stored"));
        AssertFailed(Assert.Single(spans.Of("idempotency.complete")), "not-recorded", "System.IO.IOException", "gone");
    }

    [Fact]
    public async Task A_span_of_a_step_that_throws_says_what()
    {
        using var spans = new Spans();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentRun run) =>
        {
            await run.StepAsync("first", _ => Task.CompletedTask);
            await run.StepAsync("second", _ => run.Attempt == 1 ? throw new InvalidTimeZoneException("where?") : Task.CompletedTask);
        }).WithIdempotency());
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => api.SendAsync(with: spans.Trace));
        (await api.SendAsync(with: spans.Trace)).EnsureSuccessStatusCode().Dispose();
        var steps = spans.Of("idempotency.step");
        Assert.Equal(["first: executed", "second: failed", "first: recalled", "second: executed"], steps.Select(step => $"{step.GetTagItem("idempotency.step.name")}: {Outcome(step)}"));
        AssertFailed(steps[1], "failed", "System.InvalidTimeZoneException", "where?");
        Assert.All(steps.Where(step => step != steps[1]), step => Assert.Equal((ActivityStatusCode.Unset, null), (step.Status, step.GetTagItem("error.type"))));
    }

    [Fact]
    public async Task A_completion_that_comes_too_late_has_failed_without_an_exception()
    {
        using var spans = new Spans();
        var gate = new Gate();
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () =>
        {
            if (Interlocked.Increment(ref runs) == 1)
            {
                await gate.PassAsync();
            }

            return "x";
        }).WithIdempotency());
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var late = api.SendAsync(with: spans.Trace);
        await gate.ArrivedAsync();
        for (var i = 0; i < 20; i++)
        {
            api.Time.Advance(TimeSpan.FromSeconds(20));
        }

        (await api.SendAsync(with: spans.Trace)).Dispose();
        gate.Open();
        using var replay = await late;
        Assert.True(replay.IsReplay());
        var completions = spans.Of("idempotency.complete");
        Assert.Equal(["executed", "idempotency-claim-lost"], completions.Select(Outcome).Order(StringComparer.Ordinal));
        var lost = completions.Single(span => Outcome(span) != "executed");
        Assert.Equal((ActivityStatusCode.Error, "idempotency-claim-lost"), (lost.Status, lost.GetTagItem("error.type")));
        Assert.Empty(lost.Events);
    }

    [Fact]
    public async Task A_client_that_leaves_while_it_waits_is_no_failure()
    {
        using var spans = new Spans();
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async () =>
        {
            await gate.PassAsync();
            return "x";
        }).WithIdempotency(new IdempotencyPolicy { WhenInProgress = InProgressBehavior.Wait }));
        var first = api.SendAsync();
        await gate.ArrivedAsync();
        using var leaving = new CancellationTokenSource();
        using var request = Api.Request(with: spans.Trace);
        var waiting = api.Client.SendAsync(request, leaving.Token);
        await Eventually.TrueAsync(() => api.Store.Calls("claim") >= 3, "the second request has looked twice, and waits");
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Eventually.TrueAsync(() => spans.Of("idempotency.claim").Count == 1, "the span");
        var span = spans.Of("idempotency.claim")[0];
        Assert.Equal(("canceled", ActivityStatusCode.Unset), (Outcome(span), span.Status));
        gate.Open();
        (await first).Dispose();
    }

    [Fact]
    public void Meter_and_source_carry_the_version_of_the_package()
    {
        using var services = new ServiceCollection().AddLogging().AddIdempotency().Services.BuildServiceProvider();
        using var meter = new Measurements(services);
        services.GetRequiredService<Claims>();
        var version = typeof(Claims).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
        Assert.NotEmpty(version);
        Assert.Equal(version, Telemetry.Activities.Version);
        Assert.All(meter.Instruments, instrument => Assert.Equal(version, instrument.Meter.Version));
    }

    [Fact]
    public void The_operators_page_has_every_outcome_and_no_other()
    {
        var page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "../../../../../docs/operations.md"));
        var table = page[page.IndexOf("## Outcomes", StringComparison.Ordinal)..page.IndexOf("## Spans", StringComparison.Ordinal)];
        Assert.Equal(Vocabulary.Outcomes.Order(StringComparer.Ordinal), Regex.Matches(table, @"(?m)^\| `([a-z-]+)` \|").Select(row => row.Groups[1].Value).Order(StringComparer.Ordinal));
    }

    private static string? Outcome(Activity span) => (string?)span.GetTagItem("idempotency.outcome");

    private static void AssertFailed(Activity span, string outcome, string exception, string message)
    {
        Assert.Equal((outcome, ActivityStatusCode.Error, exception), (Outcome(span), span.Status, span.GetTagItem("error.type")));
        var told = Assert.Single(span.Events);
        Assert.Equal("exception", told.Name);
        Assert.Equal((exception, message), (told.Tags.Single(tag => tag.Key == "exception.type").Value, told.Tags.Single(tag => tag.Key == "exception.message").Value));
        Assert.Contains(exception, (string?)told.Tags.Single(tag => tag.Key == "exception.stacktrace").Value, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_key_is_in_no_log_and_no_tag()
    {
        const string Key = "secret-key-of-a-client";
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency());
        using var meter = new Measurements(api.Services);
        (await api.SendAsync(key: Key)).Dispose();
        (await api.SendAsync(key: Key)).Dispose();
        (await api.SendAsync(key: Key, json: "[]")).Dispose();
        (await api.SendAsync(key: Key + ",")).Dispose();
        api.Store.Before = _ => throw new IOException("away");
        (await api.SendAsync(key: Key + "2")).Dispose();
        Assert.DoesNotContain(api.Logs.Entries, entry => entry.Text.Contains(Key, StringComparison.Ordinal));
        Assert.DoesNotContain(meter.AllTags, tag => $"{tag.Value}".Contains(Key, StringComparison.Ordinal));
        Assert.NotEmpty(meter.AllTags);
    }

    [Fact]
    public void Every_log_event_and_every_instrument_is_on_the_operators_page()
    {
        var page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "../../../../../docs/operations.md"));
        var events = typeof(Claims).Assembly.GetType("Idempotency.AspNetCore.Log")!.GetMethods(BindingFlags.Public | BindingFlags.Static)
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>().ToList();
        Assert.Equal(events.Count, events.Select(log => log.EventId).Distinct().Count());
        Assert.All(events, log => Assert.Matches($@"\| {log.EventId} \| `{log.EventName}` \| {log.Level} \|", page));
        using var services = new ServiceCollection().AddLogging().AddIdempotency().Services.BuildServiceProvider();
        using var meter = new Measurements(services);
        services.GetRequiredService<Claims>();
        Assert.All(meter.Instruments, instrument => Assert.Contains($"| `{instrument.Name}` |", page, StringComparison.Ordinal));
        Assert.Equal(meter.Instruments.Count, Regex.Count(page, @"(?m)^\| `idempotency\.[a-z_.]+` \|"));
        Assert.All(Outcomes, outcome => Assert.Contains($"`{outcome}`", page, StringComparison.Ordinal));
    }

    /// <summary>The spans of one trace: other tests make some, too.</summary>
    private sealed class Spans : IDisposable
    {
        private readonly ConcurrentQueue<Activity> _ended = new();
        private readonly ActivityTraceId _trace = ActivityTraceId.CreateRandom();
        private readonly ActivityListener _listener;

        public Spans()
        {
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name is "Idempotency.AspNetCore" or "Microsoft.AspNetCore",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = _ended.Enqueue,
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public IEnumerable<Activity> All => _ended.Where(span => span.TraceId == _trace);

        /// <summary>In the order in which they began.</summary>
        public List<Activity> Of(string name) => [.. All.Where(span => span.OperationName == name).OrderBy(span => span.StartTimeUtc)];

        /// <summary>Makes a request a part of the trace.</summary>
        public void Trace(HttpRequestMessage request) => request.Headers.Add("traceparent", $"00-{_trace}-{ActivitySpanId.CreateRandom()}-01");

        public void Dispose() => _listener.Dispose();
    }

    /// <summary>What one application's meter has measured. (A MetricCollector collects one instrument that is known by name; this finds out which there are.)</summary>
    private sealed class Measurements : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly ConcurrentQueue<(string Instrument, double Value, KeyValuePair<string, object?>[] Tags)> _measured = new();
        private readonly ConcurrentQueue<Instrument> _instruments = new();

        public Measurements(IServiceProvider services)
        {
            var factory = services.GetRequiredService<IMeterFactory>();
            services.GetRequiredService<Telemetry>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "Idempotency.AspNetCore" && instrument.Meter.Scope == factory)
                {
                    _instruments.Enqueue(instrument);
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => _measured.Enqueue((instrument.Name, value, tags.ToArray())));
            _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => _measured.Enqueue((instrument.Name, value, tags.ToArray())));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => _measured.Enqueue((instrument.Name, value, tags.ToArray())));
            _listener.Start();
        }

        public IReadOnlyList<Instrument> Instruments => [.. _instruments];

        public void Clear() => _measured.Clear();

        public IEnumerable<KeyValuePair<string, object?>> AllTags => _measured.SelectMany(measured => measured.Tags);

        public double Sum(string instrument, params (string Name, string Value)[] tags) => Matching(instrument, tags).Sum();

        public int Count(string instrument, params (string Name, string Value)[] tags) => Matching(instrument, tags).Count();

        public double Observe(string instrument)
        {
            _listener.RecordObservableInstruments();
            return Matching(instrument).Last();
        }

        public void Dispose() => _listener.Dispose();

        private IEnumerable<double> Matching(string instrument, params (string Name, string Value)[] tags) => _measured
            .Where(measured => measured.Instrument == instrument && tags.All(tag => measured.Tags.Contains(new(tag.Name, tag.Value))))
            .Select(measured => measured.Value);
    }
}
