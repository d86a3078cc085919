namespace Idempotency.AspNetCore;

/// <summary>The result of work that has none.</summary>
internal readonly record struct NoResult;
