using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore;

/// <summary>What policies imply for responses, worked out once for each policy.</summary>
internal sealed class ResponseRulesCache(PolicySelectorCache selectors)
{
    // By reference: two equal policies may well have their own entry, while comparing records on every request would cost more than it saves.
    private readonly ConditionalWeakTable<IdempotencyPolicy, ResponseRules> _rules = [];

    public ResponseRules Of(IdempotencyPolicy policy) => _rules.GetValue(policy, policy => new ResponseRules(policy, selectors.Of(policy).Headers));
}
