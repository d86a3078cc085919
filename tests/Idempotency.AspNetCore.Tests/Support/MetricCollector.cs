using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What one application has measured with one instrument.</summary>
internal sealed class MetricCollector : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<KeyValuePair<string, object?>[]> _measured = new();

    public MetricCollector(IServiceProvider services, string name)
    {
        var factory = services.GetRequiredService<IMeterFactory>();
        services.GetRequiredService<Telemetry>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == name && instrument.Meter.Scope == factory)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, _, tags, _) => _measured.Enqueue(tags.ToArray()));
        _listener.Start();
    }

    /// <summary>The values of a tag, in the order they were measured.</summary>
    public IEnumerable<string?> Tags(string name) => _measured.Select(tags => (string?)tags.Single(tag => tag.Key == name).Value);

    public void Dispose() => _listener.Dispose();
}
