namespace Idempotency.AspNetCore;

/// <summary>A request with its key.</summary>
/// <param name="Key">The key, as the handler sees it.</param>
/// <param name="StoreKey">The key that its record is stored under.</param>
/// <param name="Body">Its body, for the handler.</param>
internal readonly record struct IdentifiedRequest(string Key, StoreKey StoreKey, RequestBody Body);
