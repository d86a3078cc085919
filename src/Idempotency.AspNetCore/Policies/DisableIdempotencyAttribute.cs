namespace Idempotency.AspNetCore;

/// <summary>
/// Excludes an action, a controller or a handler from idempotency, regardless of its group, controller or conventions. The same as <c>DisableIdempotency()</c>.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = false, Inherited = true)]
public sealed class DisableIdempotencyAttribute : Attribute;
