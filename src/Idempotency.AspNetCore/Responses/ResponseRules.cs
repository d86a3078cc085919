using System.Collections.Frozen;

namespace Idempotency.AspNetCore;

/// <summary>What a policy implies for responses, worked out once for each policy.</summary>
internal sealed class ResponseRules(IdempotencyPolicy policy, IReadOnlyCollection<string> selectedHeaders)
{
    /// <summary>The policy's own exclusions.</summary>
    public FrozenSet<string> ExcludedHeaders { get; } = policy.ExcludedHeaders.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>The request headers that tell one response from another for a cache: the key's, and those that are part of the key or the fingerprint.</summary>
    public IReadOnlyList<string> VaryingHeaders { get; } =
        [.. (policy.TakesKeyFromHeader ? new[] { policy.HeaderName } : []).Concat(policy.FingerprintHeaders).Concat(selectedHeaders).Distinct(StringComparer.OrdinalIgnoreCase)];

    /// <summary>The replay flag; null when it is off.</summary>
    public ReplayFlag? Flag { get; } = policy.ReplayFlagName is { } name ? new ReplayFlag(name) : null;
}
