namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>A store that answers every claim with what the test says.</summary>
internal sealed class StubStore(Func<IdempotencyClaim, ClaimResult> answer) : IIdempotencyStore
{
    public ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken) => ValueTask.FromResult(answer(claim));

    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken) => ValueTask.FromResult<IdempotencyRecord?>(null);

    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken) => ValueTask.FromResult(false);
}
