namespace Idempotency.AspNetCore;

/// <summary>How a batch is executed.</summary>
/// <typeparam name="TItem">What the batch is made of.</typeparam>
public sealed class IdempotentBatchOptions<TItem>
{
    /// <summary>
    /// What to say of an item's call beside its key, for example the payload to validate:
    /// <c>ForItem = order => new() { Payload = IdempotentPayload.Of(order) }</c>. Null (the default), or null for an item, means nothing.
    /// </summary>
    public Func<TItem, IdempotentCallOptions?>? ForItem { get; init; }

    /// <summary>How many items may run at once. Default: 1, one after the other in their order. Items with the same key never run at once.</summary>
    public int MaxDegreeOfParallelism { get; init; } = 1;
}
