using System.Collections.Concurrent;

namespace Idempotency.AspNetCore;

/// <summary>The requests of one endpoint, or the calls of one function, by outcome.</summary>
internal sealed class TrafficSource(SourceName name)
{
    // A tag's values come from code; more than these would be a fault somewhere, and must not fill the memory.
    private const int MostOutcomes = 40;
    private const string Others = "(other)";

    private readonly ConcurrentDictionary<string, CountSeries> _outcomes = new();

    public SourceName Name => name;

    /// <summary>The series by the value of the meter's tag.</summary>
    public IEnumerable<KeyValuePair<string, CountSeries>> Outcomes => _outcomes;

    public bool IsIdle => _outcomes.All(static outcome => outcome.Value.Count == 0);

    public void Add(string outcome, long count)
    {
        if (!_outcomes.TryGetValue(outcome, out var series))
        {
            series = _outcomes.GetOrAdd(_outcomes.Count < MostOutcomes ? outcome : Others, static _ => new CountSeries());
        }

        series.Add(count);
    }
}
