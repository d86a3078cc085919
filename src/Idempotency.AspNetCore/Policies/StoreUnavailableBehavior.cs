namespace Idempotency.AspNetCore;

/// <summary>What happens to a request when the store cannot be asked.</summary>
public enum StoreUnavailableBehavior
{
    /// <summary>503 <c>idempotency-store-unavailable</c> with <c>Retry-After</c>; the handler does not run. The default.</summary>
    Reject,

    /// <summary>
    /// The handler runs without protection and its answer carries <c>Idempotency-Stored: false</c>. Availability is bought with duplicates:
    /// choose it only where a duplicate is harmless. A record that is there but cannot be read is still answered 503.
    /// </summary>
    Execute,
}
