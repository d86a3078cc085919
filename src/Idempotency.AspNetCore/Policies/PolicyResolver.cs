using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Finds the policy of an endpoint or a function.</summary>
internal sealed class PolicyResolver(IOptions<IdempotencyOptions> options)
{
    private readonly IdempotencyOptions _options = options.Value;

    private readonly ConditionalWeakTable<IIdempotencyMetadata, IdempotencyPolicy> _refined = [];

    public bool Enabled => _options.Enabled;

    /// <summary>The policy of an endpoint, or null if it did not opt in.</summary>
    /// <exception cref="InvalidOperationException">The endpoint names a policy that is not registered. Start-up validation reports this first.</exception>
    public IdempotencyPolicy? Of(Endpoint endpoint)
    {
        // 1. Disable wins, wherever it is. 2. Otherwise the last metadata counts: group < inner group < attribute < call on the endpoint.
        if (endpoint.Metadata.GetMetadata<IIdempotencyMetadata>() is not { } metadata
            || endpoint.Metadata.GetMetadata<DisableIdempotencyAttribute>() is not null)
        {
            return null;
        }

        var policy = metadata.Policy
            ?? (metadata.PolicyName is not { } name ? _options.DefaultPolicy : Find(name) ?? throw Unknown($"Endpoint '{endpoint.DisplayName}'", name));

        // 3. Settings in the metadata override those of the policy. Cached by metadata: policies are compared by reference.
        return metadata is { KeySelector: null, FingerprintSelector: null, FingerprintHeaders: null, Methods: null } ? policy : Refined(policy, metadata);
    }

    /// <summary>The policy of a function.</summary>
    /// <exception cref="InvalidOperationException">The function names a policy that is not registered.</exception>
    public IdempotencyPolicy Of(string operation, string? policyName) =>
        policyName is null ? _options.DefaultPolicy : Find(policyName) ?? throw Unknown($"The operation '{operation}'", policyName);

    /// <summary>The display name of a protected endpoint's policy.</summary>
    public static string NameOf(Endpoint endpoint) => endpoint.Metadata.GetMetadata<IIdempotencyMetadata>() switch
    {
        { Policy: not null } => "its own policy",
        { PolicyName: { } name } => $"the policy '{name}'",
        _ => "the default policy",
    };

    private IdempotencyPolicy Refined(IdempotencyPolicy policy, IIdempotencyMetadata metadata) => _refined.GetValue(metadata, metadata => policy with
    {
        KeySelector = metadata.KeySelector ?? policy.KeySelector,
        FingerprintSelector = metadata.FingerprintSelector ?? policy.FingerprintSelector,
        FingerprintHeaders = metadata.FingerprintHeaders ?? policy.FingerprintHeaders,
        Methods = metadata.Methods ?? policy.Methods,
    });

    private IdempotencyPolicy? Find(string name) => _options.Policies.TryGetValue(name, out var policy) ? policy : null;

    private InvalidOperationException Unknown(string who, string name) =>
        new($"{who} names the policy '{name}', which is not registered. {Known()} Add it with options.AddPolicy(\"{name}\", new IdempotencyPolicy {{ ... }}).");

    private string Known() => _options.Policies.Count == 0
        ? "No policies are registered."
        : $"The registered policies are {string.Join(", ", _options.Policies.Keys.Order(StringComparer.OrdinalIgnoreCase).Select(known => $"'{known}'"))}.";
}
