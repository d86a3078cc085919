namespace Idempotency.AspNetCore;

/// <summary>Application-wide options: the policies, and the size of the local cache.</summary>
public sealed class IdempotencyOptions
{
    /// <summary>
    /// Whether idempotency is active. If false, every endpoint runs unprotected, without a store call. Default: true.
    /// </summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The policy of endpoints that do not name one. Replace it, or derive from it: <c>options.DefaultPolicy = options.DefaultPolicy with { … }</c>.</summary>
    public IdempotencyPolicy DefaultPolicy { get; set; } = new();

    /// <summary>The named policies. Names are not case-sensitive.</summary>
    public IDictionary<string, IdempotencyPolicy> Policies { get; } = new Dictionary<string, IdempotencyPolicy>(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The maximum number of records in the local cache of completed records. The least recently used record is removed first. Zero turns the cache off.
    /// Default: 10 000.
    /// </summary>
    public int LocalCacheMaxEntries { get; set; } = 10_000;

    /// <summary>
    /// The maximum memory of the local cache in bytes, including its overhead. A record that exceeds it alone is not cached.
    /// Zero turns the cache off. Default: 64 MiB (67 108 864).
    /// </summary>
    public long LocalCacheMaxBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>Registers a policy, which endpoints name with <c>[Idempotent("name")]</c> or <c>.WithIdempotency("name")</c>.</summary>
    /// <param name="name">The name of the policy. It is not case-sensitive.</param>
    /// <param name="policy">The policy.</param>
    /// <returns>These options, so that calls can be chained.</returns>
    /// <exception cref="ArgumentException">The name is empty, or is already registered.</exception>
    public IdempotencyOptions AddPolicy(string name, IdempotencyPolicy policy)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(policy);
        if (!Policies.TryAdd(name, policy))
        {
            throw new ArgumentException($"A policy named '{name}' is already registered. Use another name, or set options.Policies[\"{name}\"] to replace it.", nameof(name));
        }

        return this;
    }
}
