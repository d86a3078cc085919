namespace Idempotency.AspNetCore;

/// <summary>What an application sets once: its policies and the size of the local cache.</summary>
public sealed class IdempotencyOptions
{
    /// <summary>
    /// Whether anything is protected at all. False makes every endpoint run as if the library were not there, with no store call. Default: true.
    /// </summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The policy of endpoints that name none. Replace it, or derive from it: <c>options.DefaultPolicy = options.DefaultPolicy with { … }</c>.</summary>
    public IdempotencyPolicy DefaultPolicy { get; set; } = new();

    /// <summary>The policies that endpoints can name. Names are not case-sensitive.</summary>
    public IDictionary<string, IdempotencyPolicy> Policies { get; } = new Dictionary<string, IdempotencyPolicy>(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The most records the local cache of completed records holds; the least recently used goes first. Zero switches the cache off.
    /// Default: 10 000.
    /// </summary>
    public int LocalCacheMaxEntries { get; set; } = 10_000;

    /// <summary>
    /// The most memory the local cache takes, in bytes, with what it needs for itself. A record that alone would take more is not cached.
    /// Zero switches the cache off. Default: 64 MiB (67 108 864).
    /// </summary>
    public long LocalCacheMaxBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>Registers a policy that endpoints name with <c>[Idempotent("name")]</c> or <c>.WithIdempotency("name")</c>.</summary>
    /// <param name="name">Its name, not case-sensitive.</param>
    /// <param name="policy">The policy.</param>
    /// <returns>These options, for more.</returns>
    /// <exception cref="ArgumentException">The name is empty, or a policy of that name is there already.</exception>
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
