using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Idempotency.AspNetCore;

/// <summary>The library's meter and its activity source, both named <c>Idempotency.AspNetCore</c>. Nothing here carries a key, a partition or a body.</summary>
/// <remarks>docs/operations.md says what each instrument means and what to alert on; names and units follow OpenTelemetry's conventions.</remarks>
internal sealed class Telemetry
{
    public const string Name = "Idempotency.AspNetCore";

    // One vocabulary for idempotency.outcome, wherever it is: these words, and the codes of problems and exceptions for what was rejected.
    public const string Acquired = "acquired";
    public const string Executed = "executed";
    public const string Released = "released";
    public const string NotRecorded = "not-recorded";
    public const string Forged = "antiforgery";
    public const string Failed = "failed";
    public const string Canceled = "canceled";
    public const string OutcomeUnknown = "outcome-unknown";
    public const string Replayed = "replayed";
    public const string Recalled = "recalled";
    public const string Unprotected = "unprotected";
    public const string WithoutKey = "without-key";

    private const string OutcomeTag = "idempotency.outcome";
    private const string ErrorTag = "error.type";

    // What telemetry back ends tell releases apart by: without the commit, which the SDK appends.
    private static readonly string? Version = typeof(Telemetry).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0];

    private readonly Counter<long> _requests;
    private readonly Counter<long> _calls;
    private readonly Histogram<double> _storeCalls;
    private readonly Histogram<long> _payloads;
    private readonly Counter<long> _lookups;
    private readonly Counter<long> _steps;
    private readonly Counter<long> _takeovers;
    private readonly Counter<long> _lost;
    private readonly Counter<long> _renewalsFailed;
    private readonly Meter _meter;

    public Telemetry(IMeterFactory meters)
    {
        var meter = _meter = meters.Create(Name, Version);
        _requests = meter.CreateCounter<long>("idempotency.requests", "{request}", "Requests to protected endpoints, by outcome, method and route.");
        _calls = meter.CreateCounter<long>("idempotency.calls", "{call}", "Calls of functions, by operation and outcome.");
        _steps = meter.CreateCounter<long>("idempotency.steps", "{step}", "Steps of handlers and functions, by name and outcome.");
        _takeovers = meter.CreateCounter<long>("idempotency.claims.takeovers", "{claim}", "Abandoned claims that were taken over.");
        _lost = meter.CreateCounter<long>("idempotency.claims.lost", "{claim}", "Claims found lost while their handler ran, or when its response was to be recorded.");
        _renewalsFailed = meter.CreateCounter<long>("idempotency.renewals.failed", "{renewal}", "Lease renewals that failed; each is tried again.");
        _storeCalls = meter.CreateHistogram(
            "idempotency.store.operation.duration",
            "s",
            "How long store calls took, by operation and result.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] });
        _payloads = meter.CreateHistogram(
            "idempotency.payload.size",
            "By",
            "The size of recorded responses, as a store has them.",
            advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304] });
        _lookups = meter.CreateCounter<long>("idempotency.local_cache.lookups", "{lookup}", "Looks into the local cache, by result.");
    }

    /// <summary>Spans of a claim, of a completion and of a step.</summary>
    public static ActivitySource Activities { get; } = new(Name, Version);

    public bool IsTimingStoreCalls => _storeCalls.Enabled;

    /// <summary>A request to a protected endpoint is over. Its outcome is also set on the span that the server makes for the request.</summary>
    public void RequestEnded(HttpContext context, string outcome)
    {
        if (_requests.Enabled)
        {
            var tags = new TagList { { OutcomeTag, outcome }, { "http.request.method", KnownMethod(context.Request.Method) } };
            if (context.GetEndpoint() is RouteEndpoint { RoutePattern.RawText: { } route })
            {
                tags.Add("http.route", route);
            }

            _requests.Add(1, tags);
        }

        if (Activity.Current is not null && context.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } request)
        {
            request.SetTag(OutcomeTag, outcome);
        }
    }

    /// <summary>A call of a function is over.</summary>
    public void CallEnded(string operation, string outcome)
    {
        if (_calls.Enabled)
        {
            _calls.Add(1, new TagList { { OutcomeTag, outcome }, { "idempotency.operation", operation } });
        }
    }

    /// <summary>A step of a run is over.</summary>
    public void StepEnded(string name, string outcome)
    {
        if (_steps.Enabled)
        {
            _steps.Add(1, new TagList { { OutcomeTag, outcome }, { "idempotency.step.name", name } });
        }
    }

    public void LookedUp(bool isHit)
    {
        if (_lookups.Enabled)
        {
            _lookups.Add(1, new KeyValuePair<string, object?>("idempotency.local_cache.result", isHit ? "hit" : "miss"));
        }
    }

    /// <summary>How many claims this process holds: handlers that run.</summary>
    public void ObserveClaims(Func<long> active) =>
        _meter.CreateObservableUpDownCounter("idempotency.claims.active", active, "{claim}", "Claims this process holds: handlers that run.");

    /// <summary>How large the local cache is.</summary>
    public void ObserveLocalCache(Func<long> entries, Func<long> size)
    {
        _meter.CreateObservableUpDownCounter("idempotency.local_cache.entries", entries, "{record}", "Records in the local cache.");
        _meter.CreateObservableUpDownCounter("idempotency.local_cache.size", size, "By", "Memory the local cache counts against its bound.");
    }

    /// <summary>How large the in-memory store is.</summary>
    public void ObserveInMemoryStore(Func<long> records, Func<long> size, long limit)
    {
        _meter.CreateObservableUpDownCounter("idempotency.in_memory_store.records", records, "{record}", "Records in the in-memory store, with those that have expired and are not yet removed.");
        _meter.CreateObservableUpDownCounter("idempotency.in_memory_store.size", size, "By", "Memory the in-memory store counts against its limit.");
        _meter.CreateObservableUpDownCounter("idempotency.in_memory_store.limit", () => limit, "By", "The most memory for the in-memory store; at the limit, new keys are rejected.");
    }

    public void TookOver() => _takeovers.Add(1);

    public void ClaimLost() => _lost.Add(1);

    public void RenewalFailed() => _renewalsFailed.Add(1);

    public void Recorded(int payloadSize) => _payloads.Record(payloadSize);

    public void StoreCalled(string operation, string result, TimeSpan duration, Exception? exception = null)
    {
        var tags = new TagList { { "idempotency.store.operation", operation }, { "idempotency.store.result", result } };
        if (exception is not null)
        {
            tags.Add(ErrorTag, exception.GetType().FullName);
        }

        _storeCalls.Record(duration.TotalSeconds, tags);
    }

    /// <summary>Ends a span with its outcome. The key is the hash it is stored under.</summary>
    public static void End(Activity? activity, StoreKey storeKey, string outcome, int? attempt)
    {
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag(OutcomeTag, outcome);
            activity.SetTag("idempotency.store_key", storeKey.ToString());
            activity.SetTag("idempotency.attempt", attempt);
        }
    }

    /// <summary>Ends a span as a failed one: with the exception, or, where there is none, with the outcome as the kind of error (OpenTelemetry's conventions for <c>error.type</c> and for exceptions on spans).</summary>
    public static void EndFailed(Activity? activity, StoreKey storeKey, string outcome, int? attempt, Exception? exception)
    {
        End(activity, storeKey, outcome, attempt);
        if (activity is not { IsAllDataRequested: true })
        {
            return;
        }

        activity.SetTag(ErrorTag, exception?.GetType().FullName ?? outcome);
        activity.SetStatus(ActivityStatusCode.Error, outcome);
        if (exception is not null)
        {
            activity.AddException(exception);
        }
    }

    /// <summary>The value of <c>http.request.method</c>: a client can send any method, and a metric must not have as many series (OpenTelemetry's conventions: what is not known is <c>_OTHER</c>).</summary>
    private static string KnownMethod(string method) => HttpMethods.GetCanonicalizedValue(method) switch
    {
        var known and ("CONNECT" or "DELETE" or "GET" or "HEAD" or "OPTIONS" or "PATCH" or "POST" or "PUT" or "QUERY" or "TRACE") => known,
        _ => "_OTHER",
    };
}
