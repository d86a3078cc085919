namespace Idempotency.AspNetCore;

/// <summary>A claim whose owner vanished.</summary>
/// <param name="StoreKey">The key it is stored under.</param>
/// <param name="Attempt">Which attempt it was.</param>
/// <param name="SinceLeaseEnd">How long its lease has been over.</param>
public readonly record struct AbandonedClaim(StoreKey StoreKey, int Attempt, TimeSpan SinceLeaseEnd);
