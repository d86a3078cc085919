using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Idempotency.AspNetCore.KilledHost;

/// <summary>The instants before, at and after a commit.</summary>
internal sealed class CommitInstants : DbTransactionInterceptor
{
    public override ValueTask<InterceptionResult> TransactionCommittingAsync(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        Death.May(Death.Committing);
        Death.May(Death.AtCommit);
        return ValueTask.FromResult(result);
    }

    public override Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Death.May(Death.Committed);
        return Task.CompletedTask;
    }
}
