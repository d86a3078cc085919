using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Idempotency.AspNetCore;

/// <summary>Listens to the library's meter of one application, so the page shows what metrics show.</summary>
/// <remarks>A measurement costs a look into a dictionary or two and an atomic addition, and allocates nothing. An instrument or a tag that is not known is left out, or counted together.</remarks>
internal sealed class MeterWatch : IDisposable
{
    private const string MeterName = "Idempotency.AspNetCore";
    private const int MostOperations = 20;
    private const int MostErrorTypes = 20;
    private const string Others = "(other)";

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, StoreOperation> _operations = new();

    public MeterWatch(IMeterFactory application)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // Other applications in the process have meters of the same name.
            if (instrument.Meter.Name == MeterName && ReferenceEquals(instrument.Meter.Scope, application) && ReadingOf(instrument.Name) is { } reading)
            {
                listener.EnableMeasurementEvents(instrument, reading);
            }
        };
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, reading) => ((Reading)reading!)(value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, reading) => ((Reading)reading!)(value, tags));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, reading) => ((Reading)reading!)(value, tags));
        _listener.Start();
    }

    private delegate void Reading(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags);

    public Traffic Traffic { get; } = new();

    public IReadOnlyDictionary<string, StoreOperation> Operations => _operations;

    public CountSeries TakenOver { get; } = new();

    public CountSeries Lost { get; } = new();

    public CountSeries RenewalsFailed { get; } = new();

    public CountSeries CacheHits { get; } = new();

    public CountSeries CacheMisses { get; } = new();

    public long? ActiveClaims { get; private set; }

    public long? CacheEntries { get; private set; }

    public long? CacheBytes { get; private set; }

    /// <summary>Reads the observable instruments, and adds the new counts to the newest slot.</summary>
    public void Gather(Window window)
    {
        _listener.RecordObservableInstruments();
        Traffic.Gather(window);
        foreach (var series in Counts)
        {
            series.Gather(window);
        }

        foreach (var operation in _operations.Values)
        {
            operation.Gather(window);
        }
    }

    public void Clear(int slot)
    {
        Traffic.Clear(slot);
        foreach (var series in Counts)
        {
            series.Clear(slot);
        }

        foreach (var operation in _operations.Values)
        {
            operation.Clear(slot);
        }
    }

    public void Dispose() => _listener.Dispose();

    private CountSeries[] Counts => [TakenOver, Lost, RenewalsFailed, CacheHits, CacheMisses];

    private Reading? ReadingOf(string instrument) => instrument switch
    {
        "idempotency.requests" => (value, tags) => Traffic.Add(new SourceName(false, Text(tags, "http.request.method"), Text(tags, "http.route")), Text(tags, Outcomes.Tag) ?? Others, (long)value),
        "idempotency.calls" => (value, tags) => Traffic.Add(new SourceName(true, null, Text(tags, "idempotency.operation")), Text(tags, Outcomes.Tag) ?? Others, (long)value),
        "idempotency.store.operation.duration" => StoreCalled,
        "idempotency.claims.takeovers" => (value, _) => TakenOver.Add((long)value),
        "idempotency.claims.lost" => (value, _) => Lost.Add((long)value),
        "idempotency.renewals.failed" => (value, _) => RenewalsFailed.Add((long)value),
        "idempotency.local_cache.lookups" => (value, tags) => (Text(tags, "idempotency.local_cache.result") == "hit" ? CacheHits : CacheMisses).Add((long)value),
        "idempotency.claims.active" => (value, _) => ActiveClaims = (long)value,
        "idempotency.local_cache.entries" => (value, _) => CacheEntries = (long)value,
        "idempotency.local_cache.size" => (value, _) => CacheBytes = (long)value,
        _ => null,
    };

    private void StoreCalled(double seconds, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var operation = Bounded(_operations, Text(tags, "idempotency.store.operation") ?? Others, MostOperations);
        operation.Durations.Add(seconds);
        operation.Calls.Add(1);
        if (Text(tags, "idempotency.store.result") == "error")
        {
            operation.Errors.Add(1);
            Bounded(operation.ErrorTypes, Text(tags, "error.type") ?? Others, MostErrorTypes).Add(1);
        }
    }

    private static T Bounded<T>(ConcurrentDictionary<string, T> all, string name, int most)
        where T : new() => all.TryGetValue(name, out var known) ? known : all.GetOrAdd(all.Count < most ? name : Others, static _ => new T());

    private static string? Text(ReadOnlySpan<KeyValuePair<string, object?>> tags, string name)
    {
        foreach (var tag in tags)
        {
            if (tag.Key == name)
            {
                return tag.Value as string ?? tag.Value?.ToString();
            }
        }

        return null;
    }
}
