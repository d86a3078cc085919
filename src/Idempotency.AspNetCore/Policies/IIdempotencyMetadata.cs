namespace Idempotency.AspNetCore;

/// <summary>
/// Endpoint metadata that opts an endpoint in to idempotency. <see cref="IdempotentAttribute"/> and <c>WithIdempotency()</c> add it.
/// </summary>
/// <remarks>
/// The policy is resolved in this order: 1. if the endpoint has a <see cref="DisableIdempotencyAttribute"/>, there is none; 2. otherwise the last
/// <see cref="IIdempotencyMetadata"/> decides: its <see cref="Policy"/>, or the policy registered as <see cref="PolicyName"/>, or
/// <see cref="IdempotencyOptions.DefaultPolicy"/>.
/// </remarks>
public interface IIdempotencyMetadata
{
    /// <summary>The name of a policy registered with <see cref="IdempotencyOptions.AddPolicy"/>, or null.</summary>
    string? PolicyName { get; }

    /// <summary>The policy itself, or null to use <see cref="PolicyName"/>.</summary>
    IdempotencyPolicy? Policy { get; }

    /// <summary>Overrides <see cref="IdempotencyPolicy.KeySelector"/> of the policy. Null keeps it.</summary>
    string? KeySelector => null;

    /// <summary>Overrides <see cref="IdempotencyPolicy.FingerprintSelector"/> of the policy. Null keeps it.</summary>
    string? FingerprintSelector => null;

    /// <summary>Overrides <see cref="IdempotencyPolicy.FingerprintHeaders"/> of the policy. Null keeps them.</summary>
    IReadOnlyCollection<string>? FingerprintHeaders => null;

    /// <summary>Overrides <see cref="IdempotencyPolicy.Methods"/> of the policy. Null keeps them.</summary>
    IReadOnlyCollection<string>? Methods => null;
}
