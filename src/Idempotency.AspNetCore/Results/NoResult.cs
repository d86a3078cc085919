namespace Idempotency.AspNetCore;

/// <summary>The result of work without a result.</summary>
internal readonly record struct NoResult;
