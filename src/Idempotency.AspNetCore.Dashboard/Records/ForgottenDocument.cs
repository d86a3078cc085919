namespace Idempotency.AspNetCore;

/// <summary>Whether there was a record to forget.</summary>
internal sealed record ForgottenDocument(string StoreKey, bool WasThere);
