namespace Idempotency.AspNetCore;

/// <summary>Identifies a call.</summary>
/// <param name="Key">The key as the run shows it: the caller's text, or the hash of the content that is the key; null if there is none.</param>
/// <param name="StoreKey">The key that its record is stored under.</param>
/// <param name="Fingerprint">The fingerprint of its payload.</param>
internal readonly record struct CallIdentity(string? Key, StoreKey StoreKey, Fingerprint Fingerprint)
{
    /// <summary>Identifies a call by its policy.</summary>
    /// <param name="operation">Its operation.</param>
    /// <param name="key">Its key.</param>
    /// <param name="options">Its options.</param>
    /// <param name="policy">Its policy.</param>
    /// <param name="selectors">The policy's selectors.</param>
    /// <param name="enabled">Whether idempotency is enabled. If it is not, selector errors are ignored, so that the work still runs.</param>
    /// <exception cref="ArgumentException">A selector cannot be applied to a payload, or selects no key although one is required.</exception>
    public static CallIdentity Of(string operation, IdempotentCallKey key, IdempotentCallOptions? options, IdempotencyPolicy policy, PolicySelectors selectors, bool enabled)
    {
        var fingerprint = selectors.Fingerprint is { } validated && options?.Payload is { } payload
            ? FunctionIdentity.FingerprintOfSelection(Selected(validated, payload, enabled, nameof(options)))
            : FunctionIdentity.FingerprintOf(options?.Payload, policy);
        if (selectors.Key is not { } selector || key.Payload is null)
        {
            return new CallIdentity(key.Text, FunctionIdentity.StoreKeyOf(operation, key, options?.Partition), fingerprint);
        }

        if (Selected(selector, key.Payload, enabled, nameof(key)) is { } selected)
        {
            return new CallIdentity(selected, FunctionIdentity.StoreKeyOfSelection(operation, selected, options?.Partition), fingerprint);
        }

        return policy.KeyRequired && enabled
            ? throw new ArgumentException($"The {nameof(policy.KeySelector)} '{policy.KeySelector}' selects nothing from the payload, so all such calls would share one key. Add the selected values to the payload. To run such calls unprotected, set {nameof(policy.KeyRequired)} to false.", nameof(key))
            : new CallIdentity(null, new StoreKey(Sha256Hash.Of(Guid.NewGuid().ToByteArray())), fingerprint); // calls without a key must not share downstream keys
    }

    private static string? Selected(Selector selector, IdempotentPayload payload, bool enabled, string parameter)
    {
        var (selected, error) = selector.Of(payload.Json);
        return error is null || !enabled ? selected : throw new ArgumentException(error, parameter);
    }
}
