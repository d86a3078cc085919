namespace Idempotency.AspNetCore;

/// <summary>A variable that is bound, and those bound around it.</summary>
internal sealed record Scope(string Name, Value Value, Scope? Outer);
