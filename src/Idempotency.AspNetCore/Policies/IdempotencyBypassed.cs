namespace Idempotency.AspNetCore;

/// <summary>Set when the middleware has seen the request and deliberately lets it run unprotected.</summary>
internal sealed class IdempotencyBypassed
{
    public static IdempotencyBypassed Instance { get; } = new();
}
