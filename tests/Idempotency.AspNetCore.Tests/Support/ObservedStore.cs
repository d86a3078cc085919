using System.Collections.Concurrent;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A store in front of the in-memory one that counts what it is asked, and fails, or changes records, when a test says so.</summary>
internal sealed class ObservedStore(InMemoryIdempotencyStore inner) : IIdempotencyStore
{
    private readonly ConcurrentDictionary<string, int> _calls = new();

    public InMemoryIdempotencyStore Inner => inner;

    /// <summary>Called before each operation, with its name; what it throws, the operation throws.</summary>
    public Func<string, Task>? Before { get; set; }

    /// <summary>Awaited after each operation has had its effect: a slow reply.</summary>
    public Func<string, Task>? AfterAsync { get; set; }

    /// <summary>Called after each operation has had its effect: a lost reply.</summary>
    public Action<string>? After { get; set; }

    public int MaxPayloadSize { get; set; } = int.MaxValue;

    public int CompressionThreshold { get; set; } = 1024;

    /// <summary>The key of the last operation.</summary>
    public StoreKey LastKey { get; private set; }

    public Guid LastOwner { get; private set; }

    public int Calls(string operation) => _calls.GetValueOrDefault(operation);

    public int AllCalls => _calls.Values.Sum();

    public ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken) =>
        DoAsync("claim", key, claim.Owner, () => inner.ClaimAsync(key, claim, cancellationToken));

    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        DoAsync("renew", key, owner, () => inner.RenewAsync(key, owner, lease, retention, cancellationToken));

    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        DoAsync("mark", key, owner, () => inner.MarkEffectsStartedAsync(key, owner, lease, retention, cancellationToken));

    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        DoAsync("save-steps", key, owner, () => inner.SaveStepsAsync(key, owner, steps, lease, retention, cancellationToken));

    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
        DoAsync("complete", key, owner, () => inner.CompleteAsync(key, owner, payload, retention, cancellationToken));

    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken) =>
        DoAsync("release", key, owner, () => inner.ReleaseAsync(key, owner, cancellationToken));

    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken) =>
        DoAsync("read", key, default, () => inner.ReadAsync(key, cancellationToken));

    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken) =>
        DoAsync("delete", key, default, () => inner.DeleteAsync(key, cancellationToken));

    private async ValueTask<T> DoAsync<T>(string operation, StoreKey key, Guid owner, Func<ValueTask<T>> call)
    {
        _calls.AddOrUpdate(operation, 1, static (_, count) => count + 1);
        LastKey = key;
        if (owner != default)
        {
            LastOwner = owner;
        }

        if (Before is { } before)
        {
            await before(operation);
        }

        var result = await call();
        if (AfterAsync is { } after)
        {
            await after(operation);
        }

        After?.Invoke(operation);
        return result;
    }
}
