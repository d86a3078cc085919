namespace Idempotency.AspNetCore;

/// <summary>A request with its key.</summary>
/// <param name="Key">The key, as the handler sees it.</param>
/// <param name="StoreKey">The key its record is stored under.</param>
/// <param name="Body">Its body, to be given to whoever runs it.</param>
internal readonly record struct IdentifiedRequest(string Key, StoreKey StoreKey, RequestBody Body);
