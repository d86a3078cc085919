using System.Diagnostics.Metrics;

namespace Idempotency.AspNetCore;

/// <summary>The numbers of one server from the moment on at which somebody began to look.</summary>
internal sealed class Numbers(IMeterFactory meters, IIdempotencyRecords records, TimeProvider time) : IDisposable
{
    // More rows than this nobody reads; what is not listed is shown as a sum.
    private const int MostSources = 50;
    private const int MostRunning = 50;

    private static readonly string Server = $"{Environment.MachineName}:{Environment.ProcessId}";

    private readonly MeterWatch _meter = new(meters);
    private readonly Window _window = new();
    private readonly long _startedAt = time.GetTimestamp();
    private readonly DateTimeOffset _startedOn = time.GetUtcNow();

    /// <summary>Moves what was measured into the window.</summary>
    public void Gather()
    {
        _window.Advance(time.GetElapsedTime(_startedAt), _meter.Clear);
        _meter.Gather(_window);
    }

    public NumbersDocument Describe()
    {
        Gather();
        var named = _meter.Traffic.Sources.GroupBy(static source => (source.Name.Text, Kind: source.Name.IsFunction ? "function" : "endpoint"))
            .Select(group => (All: group, Sum: SourceOf(group.Key.Text, group.Key.Kind, group)))
            .Where(static source => source.Sum.Count > 0)
            .OrderByDescending(static source => source.Sum.Count).ThenBy(static source => source.Sum.Name, StringComparer.Ordinal)
            .ToList();
        var others = SourceOf(null, null, named.Skip(MostSources).SelectMany(static source => source.All).Append(_meter.Traffic.Others));
        return new NumbersDocument(
            time.GetUtcNow(),
            Server,
            _startedOn,
            Window.Slot.TotalSeconds,
            SourceOf(null, null, _meter.Traffic.Sources.Append(_meter.Traffic.Others)),
            [.. named.Take(MostSources).Select(static source => source.Sum)],
            others.Count > 0 ? others : null,
            Counted(_meter.TakenOver),
            Counted(_meter.Lost),
            Counted(_meter.RenewalsFailed),
            Store(),
            new NumbersDocument.LocalCache(_meter.CacheHits.Count, _meter.CacheMisses.Count, _meter.CacheEntries, _meter.CacheBytes),
            Running());
    }

    public void Dispose() => _meter.Dispose();

    private NumbersDocument.Source SourceOf(string? name, string? kind, IEnumerable<TrafficSource> sources)
    {
        var outcomes = new Dictionary<string, NumbersDocument.Counted>();
        var codes = new Dictionary<string, long>();
        foreach (var (value, series) in sources.SelectMany(static source => source.Outcomes))
        {
            if (series.Count == 0)
            {
                continue;
            }

            var outcome = Outcomes.Of(value);
            var counted = Counted(series);
            outcomes[Outcomes.NameOf(outcome)] = outcomes.TryGetValue(Outcomes.NameOf(outcome), out var others) ? Sum(counted, others) : counted;
            if (outcome is RequestOutcome.Rejected or RequestOutcome.Other)
            {
                codes[value] = codes.GetValueOrDefault(value) + counted.Count;
            }
        }

        return new NumbersDocument.Source(name, kind, outcomes.Values.Sum(static outcome => outcome.Count), outcomes, codes);
    }

    private NumbersDocument.StoreCalls Store()
    {
        var all = new long[DurationSeries.Classes];
        var operations = new List<NumbersDocument.Operation>();
        var errorTypes = new Dictionary<string, long>();
        foreach (var (name, operation) in _meter.Operations.OrderBy(static operation => operation.Key, StringComparer.Ordinal))
        {
            if (operation.Calls.Count == 0)
            {
                continue;
            }

            var counts = new long[DurationSeries.Classes];
            operation.Durations.AddTo(counts);
            operation.Durations.AddTo(all);
            operations.Add(new NumbersDocument.Operation(name, operation.Calls.Count, operation.Errors.Count, DurationSeries.Quantile(counts, 0.5), DurationSeries.Quantile(counts, 0.99)));
            foreach (var (type, errors) in operation.ErrorTypes)
            {
                if (errors.Count > 0)
                {
                    errorTypes[type] = errorTypes.GetValueOrDefault(type) + errors.Count;
                }
            }
        }

        return new NumbersDocument.StoreCalls(
            new NumbersDocument.Operation(null, operations.Sum(static operation => operation.Calls), operations.Sum(static operation => operation.Errors), DurationSeries.Quantile(all, 0.5), DurationSeries.Quantile(all, 0.99)),
            operations,
            P99Series(),
            errorTypes);
    }

    private double?[] P99Series()
    {
        var series = new double?[Window.Slots];
        var counts = new long[DurationSeries.Classes];
        for (var i = 0; i < series.Length; i++)
        {
            Array.Clear(counts);
            foreach (var operation in _meter.Operations.Values)
            {
                operation.Durations.AddTo(counts, (_window.Newest + 1 + i) % Window.Slots);
            }

            series[i] = DurationSeries.Quantile(counts, 0.99);
        }

        return series;
    }

    private NumbersDocument.RunningClaims Running()
    {
        var claims = records.ListRunning();
        return new NumbersDocument.RunningClaims(
            _meter.ActiveClaims ?? claims.Count,
            [.. claims.Take(MostRunning).Select(static claim => new NumbersDocument.Claim(
                claim.StoreKey.ToString(), claim.Attempt, Math.Round(claim.RunningFor.TotalSeconds, 1), claim.Lease.TotalSeconds, Math.Round(claim.LeaseRemaining.TotalSeconds, 1)))]);
    }

    private NumbersDocument.Counted Counted(CountSeries series) => series.Count is > 0 and var count ? new(count, _window.InOrder(series.Ring)) : new(0, null);

    private static NumbersDocument.Counted Sum(NumbersDocument.Counted one, NumbersDocument.Counted other) =>
        new(one.Count + other.Count, [.. one.Series!.Zip(other.Series!, static (first, second) => first + second)]);
}
