namespace Idempotency.AspNetCore;

/// <summary>A claim that this process holds: a handler or function that is running.</summary>
/// <param name="StoreKey">The key its record is stored under.</param>
/// <param name="Attempt">Which attempt it is.</param>
/// <param name="RunningFor">How long ago it was claimed.</param>
/// <param name="Lease">How long its lease lasts (<see cref="IdempotencyPolicy.ClaimDuration"/>). It is renewed every third of that.</param>
/// <param name="LeaseRemaining">How much of the lease is left; zero or less when it could not be renewed in time, so that another attempt may take over.</param>
public readonly record struct RunningClaim(StoreKey StoreKey, int Attempt, TimeSpan RunningFor, TimeSpan Lease, TimeSpan LeaseRemaining);
