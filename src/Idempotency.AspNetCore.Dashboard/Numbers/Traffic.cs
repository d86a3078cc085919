using System.Collections.Concurrent;

namespace Idempotency.AspNetCore;

/// <summary>Requests and calls by source. There may be thousands of endpoints: beyond a bound, those that come later are counted together.</summary>
internal sealed class Traffic
{
    /// <summary>How many sources are counted by themselves.</summary>
    public const int MostSources = 500;

    private readonly ConcurrentDictionary<SourceName, TrafficSource> _sources = new();

    /// <summary>Those that are not counted by themselves.</summary>
    public TrafficSource Others { get; } = new(default);

    public IEnumerable<TrafficSource> Sources => _sources.Values;

    public void Add(SourceName name, string outcome, long count)
    {
        if (!_sources.TryGetValue(name, out var source))
        {
            source = _sources.Count < MostSources ? _sources.GetOrAdd(name, static name => new TrafficSource(name)) : Others;
        }

        source.Add(outcome, count);
    }

    public void Gather(Window window)
    {
        foreach (var (_, series) in All.SelectMany(static source => source.Outcomes))
        {
            series.Gather(window);
        }

        // Room for endpoints that are used now.
        if (_sources.Count >= MostSources)
        {
            foreach (var idle in Sources.Where(static source => source.IsIdle))
            {
                _sources.TryRemove(idle.Name, out _);
            }
        }
    }

    public void Clear(int slot)
    {
        foreach (var (_, series) in All.SelectMany(static source => source.Outcomes))
        {
            series.Clear(slot);
        }
    }

    private IEnumerable<TrafficSource> All => Sources.Append(Others);
}
