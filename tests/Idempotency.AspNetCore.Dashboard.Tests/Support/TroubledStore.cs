namespace Idempotency.AspNetCore.Dashboard.Tests;

/// <summary>The in-memory store, with trouble where a test says so.</summary>
internal sealed class TroubledStore(InMemoryIdempotencyStore inner) : IIdempotencyStore, IAbandonedClaimSource
{
    /// <summary>Awaited before each operation, with its name; what it throws, the operation throws.</summary>
    public Func<string, Task>? Before { get; set; }

    /// <summary>How often abandoned claims were listed.</summary>
    public int Listings { get; private set; }

    /// <summary>The key of the last claim.</summary>
    public StoreKey LastKey { get; private set; }

    public InMemoryIdempotencyStore Inner => inner;

    public async ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        LastKey = key;
        await BeforeAsync("claim");
        return await inner.ClaimAsync(key, claim, cancellationToken);
    }

    public async ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        await BeforeAsync("renew");
        return await inner.RenewAsync(key, owner, lease, retention, cancellationToken);
    }

    public async ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        await BeforeAsync("mark");
        return await inner.MarkEffectsStartedAsync(key, owner, lease, retention, cancellationToken);
    }

    public async ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        await BeforeAsync("save-steps");
        return await inner.SaveStepsAsync(key, owner, steps, lease, retention, cancellationToken);
    }

    public async ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken)
    {
        await BeforeAsync("complete");
        return await inner.CompleteAsync(key, owner, payload, retention, cancellationToken);
    }

    public async ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken)
    {
        await BeforeAsync("release");
        return await inner.ReleaseAsync(key, owner, cancellationToken);
    }

    public async ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken)
    {
        await BeforeAsync("read");
        return await inner.ReadAsync(key, cancellationToken);
    }

    public async ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken)
    {
        await BeforeAsync("delete");
        return await inner.DeleteAsync(key, cancellationToken);
    }

    public async IAsyncEnumerable<AbandonedClaim> ListAbandonedAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Listings++;
        await BeforeAsync("list");
        await foreach (var claim in inner.ListAbandonedAsync(cancellationToken))
        {
            yield return claim;
        }
    }

    private Task BeforeAsync(string operation) => Before?.Invoke(operation) ?? Task.CompletedTask;
}
