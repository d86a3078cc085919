namespace Idempotency.AspNetCore;

/// <summary>Options for the execution of a batch.</summary>
/// <typeparam name="TItem">The type of the items.</typeparam>
public sealed class IdempotentBatchOptions<TItem>
{
    /// <summary>
    /// Returns the options of an item's call, for example the payload to validate:
    /// <c>ForItem = order => new() { Payload = IdempotentPayload.Of(order) }</c>. Null (the default), or null for an item, means default options.
    /// </summary>
    public Func<TItem, IdempotentCallOptions?>? ForItem { get; init; }

    /// <summary>The maximum number of items that run at the same time. Default: 1, which runs them in order. Items with the same key never run at the same time.</summary>
    public int MaxDegreeOfParallelism { get; init; } = 1;
}
