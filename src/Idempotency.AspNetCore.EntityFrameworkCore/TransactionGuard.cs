using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Idempotency.AspNetCore;

/// <summary>Lets nobody end a handler's transaction but the library: its end is when the answer is recorded.</summary>
internal sealed class TransactionGuard : DbTransactionInterceptor
{
    private static readonly ConditionalWeakTable<DbTransaction, HandlerTransaction> Guarded = [];

    private TransactionGuard()
    {
    }

    public static TransactionGuard Instance { get; } = new();

    public static void Guard(DbTransaction transaction, HandlerTransaction owner) => Guarded.Add(transaction, owner);

    public override InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result) =>
        Checked(transaction, "committed", result);

    public override ValueTask<InterceptionResult> TransactionCommittingAsync(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Checked(transaction, "committed", result));

    public override InterceptionResult TransactionRollingBack(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result) =>
        Checked(transaction, "rolled back", result);

    public override ValueTask<InterceptionResult> TransactionRollingBackAsync(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Checked(transaction, "rolled back", result));

    private static InterceptionResult Checked(DbTransaction transaction, string ended, InterceptionResult result) =>
        Guarded.TryGetValue(transaction, out var owner) && !owner.IsEnding
            ? throw new InvalidOperationException(
                $"This transaction cannot be {ended} here: idempotency has begun it, and commits it together with the record of the handler's answer. " +
                "Take the call out, and return the answer, or throw to undo everything. To undo a part, use a savepoint.")
            : result;
}
