using System.Collections.Frozen;

namespace Idempotency.AspNetCore;

/// <summary>What a policy implies for responses, worked out once for each policy.</summary>
internal sealed class ResponseRules(IdempotencyPolicy policy)
{
    /// <summary>The policy's own exclusions.</summary>
    public FrozenSet<string> ExcludedHeaders { get; } = policy.ExcludedHeaders.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>The replay flag; null when it is off.</summary>
    public ReplayFlag? Flag { get; } = policy.ReplayFlagName is { } name ? new ReplayFlag(name) : null;
}
