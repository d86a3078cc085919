namespace Idempotency.AspNetCore.Simulation;

/// <summary>A call to the store, as the checker sees it.</summary>
internal sealed class StoreCall(StoreOperation operation, StoreKey key, Guid owner, Server server, Exchange? exchange, long askedAt)
{
    public StoreOperation Operation { get; } = operation;

    public StoreKey Key { get; } = key;

    /// <summary>Who claims, renews, completes or releases.</summary>
    public Guid Owner { get; } = owner;

    public Server Server { get; } = server;

    /// <summary>The request during which it was made; null for the lease keeper's and for operators'.</summary>
    public Exchange? Exchange { get; } = exchange;

    public long AskedAt { get; } = askedAt;

    /// <summary>The key it is about, in the timeline.</summary>
    public string? KeyName => Exchange?.KeyName ?? Server.World.Checker.HistoryOf(Key)?.Name;

    /// <summary>The reply has come to its server.</summary>
    public void ArrivedAt(long now)
    {
        if (Exchange is not null)
        {
            Exchange.LastReplyAt = now;
        }
    }

    public override string ToString() => $"{Operation} {Server.World.Checker.NameOf(Key)} {Server.World.Checker.NameOf(Owner)}".TrimEnd();
}
