namespace Idempotency.AspNetCore;

/// <summary>
/// Endpoint metadata that makes an endpoint take part. <see cref="IdempotentAttribute"/> and <c>WithIdempotency()</c> add it.
/// </summary>
/// <remarks>
/// Which policy counts: 1. with a <see cref="DisableIdempotencyAttribute"/> anywhere on the endpoint, none; 2. otherwise the last
/// <see cref="IIdempotencyMetadata"/>: its <see cref="Policy"/>, else the policy registered under its <see cref="PolicyName"/>, else
/// <see cref="IdempotencyOptions.DefaultPolicy"/>.
/// </remarks>
public interface IIdempotencyMetadata
{
    /// <summary>The name of a policy registered with <see cref="IdempotencyOptions.AddPolicy"/>, or null.</summary>
    string? PolicyName { get; }

    /// <summary>The policy itself, or null to go by <see cref="PolicyName"/>.</summary>
    IdempotencyPolicy? Policy { get; }

    /// <summary>What is the key, in place of the policy's own <see cref="IdempotencyPolicy.KeySelector"/>; null to leave that.</summary>
    string? KeySelector => null;

    /// <summary>What of a retry must equal the first request, in place of the policy's own <see cref="IdempotencyPolicy.FingerprintSelector"/>; null to leave that.</summary>
    string? FingerprintSelector => null;

    /// <summary>The request headers that are part of the fingerprint, in place of the policy's own <see cref="IdempotencyPolicy.FingerprintHeaders"/>; null to leave those.</summary>
    IReadOnlyCollection<string>? FingerprintHeaders => null;

    /// <summary>The HTTP methods that are protected, in place of the policy's own <see cref="IdempotencyPolicy.Methods"/>; null to leave those.</summary>
    IReadOnlyCollection<string>? Methods => null;
}
