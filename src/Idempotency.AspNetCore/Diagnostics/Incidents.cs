using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>The latest incidents of this process, for operators. Nothing is done here for a request that ends as it should.</summary>
internal sealed class Incidents(TimeProvider time)
{
    /// <summary>How many there are at the most: beyond them, the one that was seen least recently is dropped.</summary>
    public const int Most = 100;

    private readonly Lock _lock = new();
    private readonly Dictionary<(IdempotencyIncidentKind, StoreKey), IdempotencyIncident> _latest = [];

    /// <summary>A record cannot be read: for the log, and for the operators' list.</summary>
    public void RecordUnreadable(ILogger logger, StoreKey storeKey, string reason, Exception? exception = null)
    {
        Log.RecordUnreadable(logger, storeKey, reason, exception);
        Add(IdempotencyIncidentKind.RecordUnreadable, storeKey);
    }

    /// <summary>A response could not be recorded: for the log, and for the operators' list.</summary>
    public void ResponseNotRecorded(ILogger logger, StoreKey storeKey, Exception? exception = null)
    {
        Log.ResponseNotRecorded(logger, storeKey, exception);
        Add(IdempotencyIncidentKind.ResponseNotRecorded, storeKey);
    }

    public void Add(IdempotencyIncidentKind kind, StoreKey storeKey)
    {
        var now = time.GetUtcNow();
        lock (_lock)
        {
            if (_latest.Remove((kind, storeKey), out var known))
            {
                _latest.Add((kind, storeKey), known with { LastAt = now, Count = known.Count + 1 });
                return;
            }

            if (_latest.Count == Most)
            {
                _latest.Remove(_latest.MinBy(static incident => incident.Value.LastAt).Key);
            }

            _latest.Add((kind, storeKey), new IdempotencyIncident(kind, storeKey, now, now, 1));
        }
    }

    /// <summary>All of them, the latest first.</summary>
    public IReadOnlyList<IdempotencyIncident> List()
    {
        lock (_lock)
        {
            return [.. _latest.Values.OrderByDescending(static incident => incident.LastAt)];
        }
    }

    /// <summary>An operator has forgotten the record: what was to be looked at is decided.</summary>
    public void Remove(StoreKey storeKey)
    {
        lock (_lock)
        {
            foreach (var kind in Enum.GetValues<IdempotencyIncidentKind>())
            {
                _latest.Remove((kind, storeKey));
            }
        }
    }
}
