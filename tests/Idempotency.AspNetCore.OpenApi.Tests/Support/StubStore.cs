namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>A store that answers every claim with what the test says.</summary>
internal sealed class StubStore(Func<IdempotencyClaim, ClaimResult> answer) : IIdempotencyStore
{
    public ValueTask<ClaimResult> ClaimAsync(Sha256Hash key, IdempotencyClaim claim, CancellationToken cancellationToken) => ValueTask.FromResult(answer(claim));

    public ValueTask<bool> RenewAsync(Sha256Hash key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask<bool> CompleteAsync(Sha256Hash key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask<bool> ReleaseAsync(Sha256Hash key, Guid owner, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask<IdempotencyRecord?> ReadAsync(Sha256Hash key, CancellationToken cancellationToken) => ValueTask.FromResult<IdempotencyRecord?>(null);

    public ValueTask<bool> DeleteAsync(Sha256Hash key, CancellationToken cancellationToken) => ValueTask.FromResult(false);
}
