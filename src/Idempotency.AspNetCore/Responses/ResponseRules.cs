using System.Collections.Frozen;

namespace Idempotency.AspNetCore;

/// <summary>The rules for responses that follow from a policy, computed once per policy.</summary>
internal sealed class ResponseRules(IdempotencyPolicy policy, IReadOnlyCollection<string> selectedHeaders)
{
    /// <summary>The headers that the policy excludes.</summary>
    public FrozenSet<string> ExcludedHeaders { get; } = policy.ExcludedHeaders.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>The request headers that a response depends on, for caches: the key header, and those that are part of the key or the fingerprint.</summary>
    public IReadOnlyList<string> VaryingHeaders { get; } =
        [.. (policy.TakesKeyFromHeader ? new[] { policy.HeaderName } : []).Concat(policy.FingerprintHeaders).Concat(selectedHeaders).Distinct(StringComparer.OrdinalIgnoreCase)];

    /// <summary>The replay flag; null when it is off.</summary>
    public ReplayFlag? Flag { get; } = policy.ReplayFlagName is { } name ? new ReplayFlag(name) : null;
}
