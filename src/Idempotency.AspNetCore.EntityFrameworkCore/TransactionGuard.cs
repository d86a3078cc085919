using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Idempotency.AspNetCore;

/// <summary>Lets nobody end a handler's transaction but the library: its end is when the answer is recorded. And lets nobody go on without it.</summary>
internal sealed class TransactionGuard : DbTransactionInterceptor, IDbConnectionInterceptor, IDbCommandInterceptor
{
    // By context and by EF Core's own id: a DbTransaction may be an object that its client uses again, for somebody else's transaction.
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

    // EF Core opens a connection that was closed or lost by itself, and what is written then (by a handler that repeats what has failed) is committed at once.

    public InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result) => Checked(eventData, result);

    public ValueTask<InterceptionResult> ConnectionOpeningAsync(DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Checked(eventData, result));

    // On some engines a failed statement may undo its transaction, and the client runs the next one outside it, where it is committed at once.

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
                "The database has undone the transaction that idempotency has begun for this handler, in favour of another: with a statement that failed before. What is written now would be committed at once. " +
                "Let that failure out of the handler, in place of trying again within it: the request may come again.")
            : result;

    private static InterceptionResult Checked(ConnectionEventData opening, InterceptionResult result) =>
        opening.Context is { } context && Guarded.TryGetValue(context, out var guarded) && !guarded.IsEnding
            ? throw new InvalidOperationException(
                "The transaction that idempotency has begun for this handler is gone, with its connection: the handler has disposed of it or closed its connection, or the connection was lost. " +
                "What was written is undone. Let the failure of a lost connection out of the handler, in place of trying again within it: the request may come again.")
            : result;

    private static InterceptionResult Checked(TransactionEventData ending, string ended, InterceptionResult result) =>
        ending.Context is { } context && Guarded.TryGetValue(context, out var guarded) && guarded.Id == ending.TransactionId && !guarded.IsEnding
            ? throw new InvalidOperationException(
                $"This transaction cannot be {ended} here: idempotency has begun it, and commits it together with the record of the handler's answer. " +
                "Take the call out, and return the answer, or throw to undo everything. To undo a part, use a savepoint.")
            : result;
}
