namespace Idempotency.AspNetCore;

/// <summary>What happens to a request, or a call of a function, when the store cannot be asked.</summary>
public enum StoreUnavailableBehavior
{
    /// <summary>
    /// 503 <c>idempotency-store-unavailable</c> with <c>Retry-After</c>, or <see cref="IdempotencyStoreUnavailableException"/>; nothing runs. The default.
    /// </summary>
    Reject,

    /// <summary>
    /// The handler runs without protection and its answer carries <c>Idempotency-Stored: false</c>. Availability is bought with duplicates:
    /// choose it only where a duplicate is harmless. A record that is there but cannot be read is refused all the same.
    /// </summary>
    Execute,
}
