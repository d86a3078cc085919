namespace Idempotency.AspNetCore;

/// <summary>
/// Takes an action, a controller or a handler out, whatever its group, controller or convention says. The same as <c>DisableIdempotency()</c>.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = false, Inherited = true)]
public sealed class DisableIdempotencyAttribute : Attribute;
