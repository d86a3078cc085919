namespace Idempotency.AspNetCore;

/// <summary>
/// Makes an action, a controller or a minimal API's handler run once per idempotency key. The same as <c>WithIdempotency()</c>.
/// </summary>
/// <remarks>
/// On a controller: all of its actions, but not requests that only read; see <see cref="IdempotencyPolicy.Methods"/>. Where it would have no effect (on the handler method of a Razor page, a hub method, a class whose
/// methods are mapped, a method that is no action) the application does not start.
/// </remarks>
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

    /// <inheritdoc cref="IIdempotencyMetadata.FingerprintHeaders"/>
    /// <remarks>See <see cref="IdempotencyPolicy.FingerprintHeaders"/>.</remarks>
    public string[]? FingerprintHeaders { get; init; }

    /// <inheritdoc cref="IIdempotencyMetadata.Methods"/>
    /// <remarks>See <see cref="IdempotencyPolicy.Methods"/>.</remarks>
    public string[]? Methods { get; init; }

    IReadOnlyCollection<string>? IIdempotencyMetadata.FingerprintHeaders => FingerprintHeaders;

    IReadOnlyCollection<string>? IIdempotencyMetadata.Methods => Methods;

    IdempotencyPolicy? IIdempotencyMetadata.Policy => null;
}
