using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Finds the policy of an endpoint or a function, and what a policy implies for responses.</summary>
internal sealed class EffectivePolicies(IOptions<IdempotencyOptions> options)
{
    private readonly IdempotencyOptions _options = options.Value;

    // By reference: two equal policies may well have their own entry, while comparing records on every request would cost more than it saves.
    private readonly ConditionalWeakTable<IdempotencyPolicy, ResponseRules> _rules = [];

    public bool Enabled => _options.Enabled;

    /// <summary>The policy of an endpoint, or null when it does not take part.</summary>
    /// <exception cref="InvalidOperationException">It names a policy that is not registered. Start-up validation reports this first.</exception>
    public IdempotencyPolicy? Of(Endpoint endpoint)
    {
        // 1. Disable wins, wherever it stands. 2. Otherwise the last metadata counts: group < inner group < attribute < call on the endpoint.
        if (endpoint.Metadata.GetMetadata<IIdempotencyMetadata>() is not { } metadata
            || endpoint.Metadata.GetMetadata<DisableIdempotencyAttribute>() is not null)
        {
            return null;
        }

        if (metadata.Policy is { } policy)
        {
            return policy;
        }

        return metadata.PolicyName is not { } name ? _options.DefaultPolicy : Find(name) ?? throw Unknown($"Endpoint '{endpoint.DisplayName}'", name);
    }

    /// <summary>The policy of a function.</summary>
    /// <exception cref="InvalidOperationException">It names a policy that is not registered.</exception>
    public IdempotencyPolicy Of(string operation, string? policyName) =>
        policyName is null ? _options.DefaultPolicy : Find(policyName) ?? throw Unknown($"The operation '{operation}'", policyName);

    /// <summary>What a protected endpoint's policy is called, for people.</summary>
    public static string NameOf(Endpoint endpoint) => endpoint.Metadata.GetMetadata<IIdempotencyMetadata>() switch
    {
        { Policy: not null } => "its own policy",
        { PolicyName: { } name } => $"the policy '{name}'",
        _ => "the default policy",
    };

    public ResponseRules RulesOf(IdempotencyPolicy policy) => _rules.GetValue(policy, static policy => new ResponseRules(policy));

    private IdempotencyPolicy? Find(string name) => _options.Policies.TryGetValue(name, out var policy) ? policy : null;

    private static InvalidOperationException Unknown(string who, string name) =>
        new($"{who} names the policy '{name}', which is not registered. Add it with options.AddPolicy(\"{name}\", new IdempotencyPolicy {{ ... }}).");
}
