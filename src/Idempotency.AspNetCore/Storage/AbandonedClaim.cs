namespace Idempotency.AspNetCore;

/// <summary>An abandoned claim: its lease ended without completion.</summary>
/// <param name="StoreKey">The key that it is stored under.</param>
/// <param name="Attempt">The number of the abandoned attempt.</param>
/// <param name="SinceLeaseEnd">The time since its lease ended.</param>
public readonly record struct AbandonedClaim(StoreKey StoreKey, int Attempt, TimeSpan SinceLeaseEnd);
