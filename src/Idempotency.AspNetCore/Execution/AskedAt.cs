namespace Idempotency.AspNetCore;

/// <summary>When the store was asked: whatever it grants counts from then, never from its reply.</summary>
/// <param name="Ticks">The time; see <see cref="MonotonicTime"/>.</param>
/// <param name="Removals">How many records operators had deleted by then; see <see cref="CompletedRecords.Removals"/>.</param>
internal readonly record struct AskedAt(long Ticks, int Removals)
{
    /// <summary>The end of a lease or a retention that was asked for.</summary>
    public long Plus(TimeSpan span) => MonotonicTime.After(Ticks, span);
}
