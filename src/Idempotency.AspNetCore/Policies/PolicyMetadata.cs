namespace Idempotency.AspNetCore;

/// <summary>What <c>WithIdempotency(IdempotencyPolicy)</c> puts on an endpoint.</summary>
internal sealed class PolicyMetadata(IdempotencyPolicy policy) : IIdempotencyMetadata
{
    public string? PolicyName => null;

    public IdempotencyPolicy? Policy { get; } = policy;

    public override string ToString() => "Idempotent";
}
