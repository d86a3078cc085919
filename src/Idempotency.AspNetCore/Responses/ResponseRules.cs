using System.Collections.Frozen;
using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore;

/// <summary>What a policy implies for responses, worked out once for each policy.</summary>
internal sealed class ResponseRules(IdempotencyPolicy policy)
{
    // By reference: two equal policies may well have their own entry, while comparing records on every request would cost more than it saves.
    private static readonly ConditionalWeakTable<IdempotencyPolicy, ResponseRules> Known = [];

    /// <summary>The policy's own exclusions.</summary>
    public FrozenSet<string> ExcludedHeaders { get; } = policy.ExcludedHeaders.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>The replay flag; null when it is off.</summary>
    public ReplayFlag? Flag { get; } = policy.ReplayFlagName is { } name ? new ReplayFlag(name) : null;

    public static ResponseRules Of(IdempotencyPolicy policy) => Known.GetValue(policy, static policy => new ResponseRules(policy));
}
