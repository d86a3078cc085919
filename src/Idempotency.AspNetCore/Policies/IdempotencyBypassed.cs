namespace Idempotency.AspNetCore;

/// <summary>The middleware has seen the request, and lets it run unprotected on purpose.</summary>
internal sealed class IdempotencyBypassed
{
    public static IdempotencyBypassed Instance { get; } = new();
}
