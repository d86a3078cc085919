namespace Idempotency.AspNetCore;

/// <summary>
/// Opts an action, a controller or a minimal API handler in to idempotency: it runs once per idempotency key. The same as <c>WithIdempotency()</c>.
/// </summary>
/// <remarks>
/// On a controller, it applies to all actions, except for requests with safe methods; see <see cref="IdempotencyPolicy.Methods"/>. Where it would have no effect (on a handler method of a Razor page, on a hub method, on a class whose
/// methods are mapped, or on a method that is not an action), start-up fails.
/// </remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = false, Inherited = true)]
public sealed class IdempotentAttribute : Attribute, IIdempotencyMetadata
{
    /// <summary>Protects the endpoint with <see cref="IdempotencyOptions.DefaultPolicy"/>.</summary>
    public IdempotentAttribute()
    {
    }

    /// <summary>Protects the endpoint with a named policy.</summary>
    /// <param name="policyName">The name that was passed to <see cref="IdempotencyOptions.AddPolicy"/>. An unknown name fails at start-up.</param>
    public IdempotentAttribute(string policyName)
    {
        ArgumentException.ThrowIfNullOrEmpty(policyName);
        PolicyName = policyName;
    }

    /// <inheritdoc/>
    public string? PolicyName { get; }

    /// <inheritdoc/>
    /// <remarks>See <see cref="IdempotencyPolicy.KeySelector"/> for the language and its package. An invalid expression fails at start-up.</remarks>
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
