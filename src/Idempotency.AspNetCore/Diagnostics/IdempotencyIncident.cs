namespace Idempotency.AspNetCore;

/// <summary>Something that happened in this process and that a person should look at.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="StoreKey">The key the request's record is stored under.</param>
/// <param name="FirstAt">When it was first seen.</param>
/// <param name="LastAt">When it was last seen: retries meet the same record again.</param>
/// <param name="Count">How often it was seen.</param>
public sealed record IdempotencyIncident(IdempotencyIncidentKind Kind, StoreKey StoreKey, DateTimeOffset FirstAt, DateTimeOffset LastAt, int Count);
