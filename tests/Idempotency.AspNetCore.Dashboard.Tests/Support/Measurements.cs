using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Idempotency.AspNetCore.Dashboard.Tests;

/// <summary>What an exporter of metrics would see of one application, measurement by measurement.</summary>
internal sealed class Measurements : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<(string Instrument, double Value, KeyValuePair<string, object?>[] Tags)> _measured = new();

    public Measurements(IServiceProvider services)
    {
        var factory = services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "Idempotency.AspNetCore" && instrument.Meter.Scope == factory)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => _measured.Enqueue((instrument.Name, value, tags.ToArray())));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => _measured.Enqueue((instrument.Name, value, tags.ToArray())));
        _listener.Start();
    }

    public IReadOnlyList<double> Of(string instrument, params (string Name, string Value)[] tags) =>
        [.. _measured.Where(measured => measured.Instrument == instrument && tags.All(tag => measured.Tags.Contains(new(tag.Name, tag.Value)))).Select(measured => measured.Value)];

    public long Sum(string instrument, params (string Name, string Value)[] tags) => (long)Of(instrument, tags).Sum();

    public IEnumerable<string> ValuesOf(string instrument, string tag) =>
        _measured.Where(measured => measured.Instrument == instrument).SelectMany(measured => measured.Tags).Where(measured => measured.Key == tag).Select(measured => (string)measured.Value!).Distinct();

    public double Observe(string instrument)
    {
        _listener.RecordObservableInstruments();
        return Of(instrument)[^1];
    }

    public void Dispose() => _listener.Dispose();
}
