using System.Collections.Concurrent;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The application's own database, as far as a transaction goes: rows that a session has written are there once it commits.</summary>
internal sealed class Bank
{
    public ConcurrentQueue<string> Rows { get; } = new();

    public int Begun { get; set; }

    public int Disposed { get; set; }
}

/// <summary>The unit of work of a scope.</summary>
internal sealed class BankSession
{
    public List<string> Pending { get; } = [];

    public void Add(string row) => Pending.Add(row);
}

/// <summary>What a commit comes to.</summary>
internal enum BankCommit
{
    Done,
    Conflict,
    FailedBefore,
    FailedAfter,
    EndedByHandler,
}

internal sealed class BankConflictException : Exception;

/// <summary>A store in that database: in memory, with commits that go wrong when a test says so.</summary>
internal sealed class BankStore(InMemoryIdempotencyStore inner, Bank bank) : ITransactionalIdempotencyStore
{
    public InMemoryIdempotencyStore Inner => inner;

    /// <summary>What the next commits come to; after them all are done.</summary>
    public Queue<BankCommit> Commits { get; } = new();

    public Func<Task>? BeforeBegin { get; set; }

    public bool AllowsOtherWriters { get; set; } = true;

    /// <summary>Called before each plain operation, with its name.</summary>
    public Action<string>? Before { get; set; }

    public int MaxPayloadSize => int.MaxValue;

    public int CompressionThreshold => 1024;

    public StoreKey LastKey { get; private set; }

    public async ValueTask<IIdempotencyTransaction> BeginTransactionAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        if (BeforeBegin is { } before)
        {
            await before();
        }

        bank.Begun++;
        return new Transaction(this, bank, services.GetRequiredService<BankSession>());
    }

    public ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        LastKey = key;
        Before?.Invoke("claim");
        return inner.ClaimAsync(key, claim, cancellationToken);
    }

    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        Before?.Invoke("renew");
        return inner.RenewAsync(key, owner, lease, retention, cancellationToken);
    }

    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        inner.SaveStepsAsync(key, owner, steps, lease, retention, cancellationToken);

    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        inner.MarkEffectsStartedAsync(key, owner, lease, retention, cancellationToken);

    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
        inner.CompleteAsync(key, owner, payload, retention, cancellationToken);

    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken)
    {
        Before?.Invoke("release");
        return inner.ReleaseAsync(key, owner, cancellationToken);
    }

    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken)
    {
        Before?.Invoke("read");
        return inner.ReadAsync(key, cancellationToken);
    }

    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken) => inner.DeleteAsync(key, cancellationToken);

    private sealed class Transaction(BankStore store, Bank bank, BankSession session) : IIdempotencyTransaction
    {
        public bool AllowsOtherWriters => store.AllowsOtherWriters;

        public bool WasEndedByHandler { get; private set; }

        public async ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken)
        {
            var commit = store.Commits.TryDequeue(out var next) ? next : BankCommit.Done;
            switch (commit)
            {
                case BankCommit.Conflict: throw new InvalidOperationException("wrapped, as some do", new BankConflictException());
                case BankCommit.FailedBefore: throw new IOException("away");
                case BankCommit.EndedByHandler:
                    WasEndedByHandler = true;
                    throw new InvalidOperationException("The handler has ended the transaction.");
            }

            if (!await store.Inner.CompleteAsync(key, owner, payload, retention, cancellationToken))
            {
                return false;
            }

            session.Pending.ForEach(bank.Rows.Enqueue);
            return commit == BankCommit.FailedAfter ? throw new IOException("committed, and the reply was lost") : true;
        }

        public bool IsConflict(Exception exception) => exception is BankConflictException || exception.InnerException is BankConflictException;

        public ValueTask DisposeAsync()
        {
            bank.Disposed++;
            session.Pending.Clear();
            return default;
        }
    }
}
