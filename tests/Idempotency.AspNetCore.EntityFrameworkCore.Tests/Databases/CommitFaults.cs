using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>Does something to a commit: before it, or when it is done and nobody has been told.</summary>
internal sealed class CommitFaults : DbTransactionInterceptor
{
    public Func<DbTransaction, Task>? Before { get; set; }

    public Func<DbTransaction, Task>? After { get; set; }

    public override async ValueTask<InterceptionResult> TransactionCommittingAsync(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        await (Before?.Invoke(transaction) ?? Task.CompletedTask);
        return result;
    }

    public override Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default) =>
        After?.Invoke(transaction) ?? Task.CompletedTask;
}
