namespace Idempotency.AspNetCore;

/// <summary>What happens to a request, or to a function call, when the store is unavailable.</summary>
public enum StoreUnavailableBehavior
{
    /// <summary>
    /// It is rejected with 503 <c>idempotency-store-unavailable</c> and <c>Retry-After</c>, or with <see cref="IdempotencyStoreUnavailableException"/>. Nothing runs. The default.
    /// </summary>
    Reject,

    /// <summary>
    /// The handler runs unprotected, and its response has <c>Idempotency-Stored: false</c>. This trades duplicates for availability:
    /// choose it only if a duplicate does no harm. A request whose record exists but cannot be read is still rejected.
    /// </summary>
    Execute,
}
