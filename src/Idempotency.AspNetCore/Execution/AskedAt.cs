namespace Idempotency.AspNetCore;

/// <summary>When a call to the store started. The times that the store grants count from then, not from its response.</summary>
/// <param name="Ticks">The time; see <see cref="MonotonicTime"/>.</param>
/// <param name="Removals">The number of records that operators had deleted by then; see <see cref="CompletedRecords.Removals"/>.</param>
internal readonly record struct AskedAt(long Ticks, int Removals)
{
    /// <summary>The end of a requested lease or retention.</summary>
    public long Plus(TimeSpan span) => MonotonicTime.After(Ticks, span);
}
