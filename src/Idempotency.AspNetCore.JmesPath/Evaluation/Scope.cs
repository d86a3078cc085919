namespace Idempotency.AspNetCore;

/// <summary>A variable in scope, and the outer variables.</summary>
internal sealed record Scope(string Name, Value Value, Scope? Outer);
