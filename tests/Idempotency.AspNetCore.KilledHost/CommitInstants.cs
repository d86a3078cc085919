using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Idempotency.AspNetCore.KilledHost;

/// <summary>The instants before, at and after a commit.</summary>
internal sealed class CommitInstants : DbTransactionInterceptor
{
    public override ValueTask<InterceptionResult> TransactionCommittingAsync(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        CrashPoint.Reach(CrashPoint.Committing);
        CrashPoint.Reach(CrashPoint.AtCommit);
        return ValueTask.FromResult(result);
    }

    public override Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        CrashPoint.Reach(CrashPoint.Committed);
        return Task.CompletedTask;
    }
}
