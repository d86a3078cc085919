using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore;

/// <summary>The selectors of policies, each compiled once.</summary>
internal sealed class PolicySelectorCache(IEnumerable<IIdempotencySelectorLanguage> languages)
{
    // By reference: two equal policies can have an entry each, because comparing records on every request would cost more.
    private readonly ConditionalWeakTable<IdempotencyPolicy, PolicySelectors> _selectors = [];
    private readonly IIdempotencySelectorLanguage? _language = languages.LastOrDefault();

    /// <exception cref="InvalidOperationException">A selector cannot be compiled. Start-up validation reports this first.</exception>
    public PolicySelectors Of(IdempotencyPolicy policy) => policy is { KeySelector: null, FingerprintSelector: null, FingerprintHeaders.Count: 0 }
        ? PolicySelectors.None
        : _selectors.GetValue(policy, policy => PolicySelectors.Of(policy, _language, "A policy"));
}
