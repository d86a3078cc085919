namespace Idempotency.AspNetCore;

/// <summary>The metadata that <c>WithIdempotency(IdempotencyPolicy)</c> adds to an endpoint.</summary>
internal sealed class PolicyMetadata(IdempotencyPolicy policy) : IIdempotencyMetadata
{
    public string? PolicyName => null;

    public IdempotencyPolicy? Policy { get; } = policy;

    public override string ToString() => "Idempotent";
}
