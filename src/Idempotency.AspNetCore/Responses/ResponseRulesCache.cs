using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore;

/// <summary>The response rules of policies, computed once per policy.</summary>
internal sealed class ResponseRulesCache(PolicySelectorCache selectors)
{
    // By reference: two equal policies can have an entry each, because comparing records on every request would cost more.
    private readonly ConditionalWeakTable<IdempotencyPolicy, ResponseRules> _rules = [];

    public ResponseRules Of(IdempotencyPolicy policy) => _rules.GetValue(policy, policy => new ResponseRules(policy, selectors.Of(policy).Headers));
}
