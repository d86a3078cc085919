namespace Idempotency.AspNetCore;

/// <summary>
/// Makes an action, a controller or a minimal API's handler run once per idempotency key. The same as <c>WithIdempotency()</c>.
/// </summary>
/// <remarks>On a controller: all of its actions, those that only read too. Take those out with <see cref="DisableIdempotencyAttribute"/>.</remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = false, Inherited = true)]
public sealed class IdempotentAttribute : Attribute, IIdempotencyMetadata
{
    /// <summary>Protects the endpoint by <see cref="IdempotencyOptions.DefaultPolicy"/>.</summary>
    public IdempotentAttribute()
    {
    }

    /// <summary>Protects the endpoint by a named policy.</summary>
    /// <param name="policyName">The name given to <see cref="IdempotencyOptions.AddPolicy"/>. An unknown name fails at start-up.</param>
    public IdempotentAttribute(string policyName)
    {
        ArgumentException.ThrowIfNullOrEmpty(policyName);
        PolicyName = policyName;
    }

    /// <inheritdoc/>
    public string? PolicyName { get; }

    /// <inheritdoc/>
    /// <remarks>See <see cref="IdempotencyPolicy.KeySelector"/> for the language and its package. An expression that is not valid fails at start-up.</remarks>
    public string? KeySelector { get; init; }

    /// <inheritdoc/>
    /// <remarks>See <see cref="IdempotencyPolicy.FingerprintSelector"/>.</remarks>
    public string? FingerprintSelector { get; init; }

    IdempotencyPolicy? IIdempotencyMetadata.Policy => null;
}
