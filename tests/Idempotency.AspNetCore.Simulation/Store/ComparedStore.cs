namespace Idempotency.AspNetCore.Simulation;

/// <summary>A store, and the reference beside it: every reply of the two must be the same.</summary>
internal sealed class ComparedStore(IIdempotencyStore store, IIdempotencyStore reference, Action<string> onDifference) : IIdempotencyStore
{
    public int MaxPayloadSize => store.MaxPayloadSize;

    public int CompressionThreshold => store.CompressionThreshold;

    public ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken) =>
        Compared("claim", store.ClaimAsync(key, claim, cancellationToken), reference.ClaimAsync(key, claim, cancellationToken), static (a, b) => a.IsAcquired == b.IsAcquired && a.Steps.Span.SequenceEqual(b.Steps.Span) && AreEqual(a.Existing, b.Existing));

    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Compared("renew", store.RenewAsync(key, owner, lease, retention, cancellationToken), reference.RenewAsync(key, owner, lease, retention, cancellationToken));

    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Compared("mark", store.MarkEffectsStartedAsync(key, owner, lease, retention, cancellationToken), reference.MarkEffectsStartedAsync(key, owner, lease, retention, cancellationToken));

    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Compared("save steps", store.SaveStepsAsync(key, owner, steps, lease, retention, cancellationToken), reference.SaveStepsAsync(key, owner, steps, lease, retention, cancellationToken));

    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
        Compared("complete", store.CompleteAsync(key, owner, payload, retention, cancellationToken), reference.CompleteAsync(key, owner, payload, retention, cancellationToken));

    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken) =>
        Compared("release", store.ReleaseAsync(key, owner, cancellationToken), reference.ReleaseAsync(key, owner, cancellationToken));

    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken) =>
        Compared("read", store.ReadAsync(key, cancellationToken), reference.ReadAsync(key, cancellationToken), AreEqual);

    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken) =>
        Compared("delete", store.DeleteAsync(key, cancellationToken), reference.DeleteAsync(key, cancellationToken));

    private ValueTask<bool> Compared(string operation, ValueTask<bool> reply, ValueTask<bool> expected) => Compared(operation, reply, expected, static (a, b) => a == b);

    private ValueTask<T> Compared<T>(string operation, ValueTask<T> reply, ValueTask<T> expected, Func<T, T, bool> areEqual)
    {
        var (actual, right) = (reply.Reply(), expected.Reply());
        if (!areEqual(actual, right))
        {
            onDifference($"the store replied '{actual}' to {operation}, and by the contract it is '{right}'");
        }

        return new(actual);
    }

    private static bool AreEqual(IdempotencyRecord? record, IdempotencyRecord? expected) => record is null || expected is null
        ? record is null && expected is null
        : record with { Payload = default } == expected with { Payload = default } && record.Payload.Span.SequenceEqual(expected.Payload.Span);
}
