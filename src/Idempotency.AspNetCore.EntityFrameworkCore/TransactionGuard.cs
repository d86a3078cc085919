using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Idempotency.AspNetCore;

/// <summary>Prevents a handler from ending its transaction, because the library ends it when the response is recorded, and from continuing without it.</summary>
internal sealed class TransactionGuard : DbTransactionInterceptor, IDbConnectionInterceptor, IDbCommandInterceptor
{
    // By context and by EF Core's own id: a DbTransaction may be an object that its client reuses for another transaction.
    private static readonly ConditionalWeakTable<DbContext, HandlerTransaction> Guarded = [];

    private TransactionGuard()
    {
    }

    public static TransactionGuard Instance { get; } = new();

    public static void Guard(DbContext context, HandlerTransaction transaction) => Guarded.AddOrUpdate(context, transaction);

    public static void Release(DbContext context, HandlerTransaction transaction)
    {
        if (Guarded.TryGetValue(context, out var guarded) && guarded == transaction)
        {
            Guarded.Remove(context);
        }
    }

    public override InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result) =>
        Checked(eventData, "committed", result);

    public override ValueTask<InterceptionResult> TransactionCommittingAsync(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Checked(eventData, "committed", result));

    public override InterceptionResult TransactionRollingBack(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result) =>
        Checked(eventData, "rolled back", result);

    public override ValueTask<InterceptionResult> TransactionRollingBackAsync(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Checked(eventData, "rolled back", result));

    // EF Core reopens a connection that was closed or lost, and further writes (by a handler that retries) would be committed immediately.

    public InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result) => Checked(eventData, result);

    public ValueTask<InterceptionResult> ConnectionOpeningAsync(DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Checked(eventData, result));

    // On some engines, a failed statement can roll back its transaction, and the client runs the next one outside it, where it is committed immediately.

    public void CommandFailed(DbCommand command, CommandErrorEventData eventData) => Note(eventData);

    public Task CommandFailedAsync(DbCommand command, CommandErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        Note(eventData);
        return Task.CompletedTask;
    }

    public InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result) => Checked(eventData, result);

    public ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Checked(eventData, result));

    public InterceptionResult<DbDataReader> ReaderExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result) => Checked(eventData, result);

    public ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Checked(eventData, result));

    public InterceptionResult<object> ScalarExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<object> result) => Checked(eventData, result);

    public ValueTask<InterceptionResult<object>> ScalarExecutingAsync(DbCommand command, CommandEventData eventData, InterceptionResult<object> result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Checked(eventData, result));

    private static void Note(CommandErrorEventData failed)
    {
        if (failed.Context is { } context && Guarded.TryGetValue(context, out var guarded))
        {
            guarded.NoteFailure(failed.Exception);
        }
    }

    private static InterceptionResult<T> Checked<T>(CommandEventData executing, InterceptionResult<T> result) =>
        executing.Context is { } context && Guarded.TryGetValue(context, out var guarded) && guarded.WasUndone && !guarded.IsEnding
            ? throw new InvalidOperationException(
                "The database rolled back the transaction that idempotency started for this handler, because an earlier statement conflicted with another transaction. Further writes would be committed at once. " +
                "Let the exception leave the handler instead of retrying inside it. The client can retry the request.")
            : result;

    private static InterceptionResult Checked(ConnectionEventData opening, InterceptionResult result) =>
        opening.Context is { } context && Guarded.TryGetValue(context, out var guarded) && !guarded.IsEnding
            ? throw new InvalidOperationException(
                "The transaction that idempotency started for this handler has ended: the handler disposed of it or closed its connection, or the connection was lost. " +
                "Its writes were rolled back. Let the exception of a lost connection leave the handler instead of retrying inside it. The client can retry the request.")
            : result;

    private static InterceptionResult Checked(TransactionEventData ending, string ended, InterceptionResult result) =>
        ending.Context is { } context && Guarded.TryGetValue(context, out var guarded) && guarded.Id == ending.TransactionId && !guarded.IsEnding
            ? throw new InvalidOperationException(
                $"This transaction cannot be {ended} here: idempotency started it, and commits it together with the recorded response. " +
                "Remove the call, and return a response, or throw an exception to roll back everything. To roll back a part, use a savepoint.")
            : result;
}
