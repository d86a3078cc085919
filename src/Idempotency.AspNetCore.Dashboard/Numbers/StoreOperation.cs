using System.Collections.Concurrent;

namespace Idempotency.AspNetCore;

/// <summary>The store calls of one operation.</summary>
internal sealed class StoreOperation
{
    public DurationSeries Durations { get; } = new();

    public CountSeries Calls { get; } = new();

    public CountSeries Errors { get; } = new();

    /// <summary>Errors by the type of their exception.</summary>
    public ConcurrentDictionary<string, CountSeries> ErrorTypes { get; } = new();

    public void Gather(Window window)
    {
        Durations.Gather(window);
        foreach (var series in Counts)
        {
            series.Gather(window);
        }
    }

    public void Clear(int slot)
    {
        Durations.Clear(slot);
        foreach (var series in Counts)
        {
            series.Clear(slot);
        }
    }

    private IEnumerable<CountSeries> Counts => ErrorTypes.Values.Append(Calls).Append(Errors);
}
