namespace Idempotency.AspNetCore;

/// <summary>What needs a person.</summary>
/// <param name="At">When the store was asked.</param>
/// <param name="CanList">Whether the store can list abandoned claims.</param>
/// <param name="IsComplete">Whether these are all of them.</param>
/// <param name="Error">Why they are not known; null when they are.</param>
/// <param name="Items">The cases, the newest first.</param>
internal sealed record AttentionDocument(DateTimeOffset At, bool CanList, bool IsComplete, string? Error, IReadOnlyList<AttentionDocument.Item> Items)
{
    /// <param name="Kind"><c>abandoned</c>, <c>outcome-unknown</c>, <c>not-recorded</c> or <c>unreadable</c>.</param>
    /// <param name="StoreKey">The key the record is stored under.</param>
    /// <param name="SecondsAgo">How long ago the lease ended, or the incident was last seen.</param>
    /// <param name="Do">What an operator does about it.</param>
    /// <param name="Attempt">Which attempt it was.</param>
    /// <param name="Next">What the next request with its key meets, for an abandoned claim.</param>
    /// <param name="Steps">Its recorded steps.</param>
    /// <param name="Seen">How often the incident was seen in this process.</param>
    public sealed record Item(string Kind, string StoreKey, double SecondsAgo, string Do, int? Attempt = null, string? Next = null, IReadOnlyList<RecordedStep>? Steps = null, int? Seen = null);
}
