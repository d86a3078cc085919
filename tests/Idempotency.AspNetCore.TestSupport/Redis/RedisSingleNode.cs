namespace Idempotency.AspNetCore.Tests;

/// <summary>One server, which nobody takes the place of.</summary>
public sealed class RedisSingleNode : RedisNodes
{
    /// <param name="persistent">With an append-only file.</param>
    public RedisSingleNode(bool persistent)
        : base(safe: false, persistent) => Servers = [new RedisNode(Settings)];

    /// <inheritdoc/>
    public override IReadOnlyList<RedisNode> Servers { get; }

    /// <inheritdoc/>
    public override IEnumerable<string> EntryPoints => [$"127.0.0.1:{Servers[0].Port}"];

    /// <inheritdoc/>
    public override string Configuration => EntryPoints.Single();

    /// <inheritdoc/>
    protected override int PrimaryCount => 1;

    /// <inheritdoc/>
    public override Task StartAsync() => Servers[0].StartAsync();

    /// <inheritdoc/>
    public override Task HealAsync() => Servers[0].StartAsync();
}
