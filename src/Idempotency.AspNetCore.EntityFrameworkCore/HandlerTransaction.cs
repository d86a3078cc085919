using System.Data;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>The transaction in which a handler runs, on its own context.</summary>
internal sealed class HandlerTransaction : IIdempotencyTransaction
{
    private readonly DbContext _context;
    private readonly DbContextId _contextId;
    private readonly IDbContextTransaction _transaction;
    private readonly DbTransaction _dbTransaction;
    private readonly DbConnection _dbConnection;
    private readonly RecordsDatabase _database;
    private readonly int _commandTimeout;
    private readonly IDisposable? _writersTurn;
    private readonly ILogger _logger;
    private bool _isAnchored;
    private bool _hasFailed;
    private bool _isCommitted;
    private bool _isDisposed;

    /// <param name="context">The handler's context.</param>
    /// <param name="transaction">Its transaction, which has just been started.</param>
    /// <param name="database">The properties of the database.</param>
    /// <param name="commandTimeout">In seconds.</param>
    /// <param name="writersTurn">The turn of the writer, which ends with the transaction.</param>
    /// <param name="logger">Logs errors when it is disposed of.</param>
    public HandlerTransaction(DbContext context, IDbContextTransaction transaction, RecordsDatabase database, int commandTimeout, IDisposable? writersTurn, ILogger logger)
    {
        (_context, _contextId) = (context, context.ContextId);
        _transaction = transaction;
        _dbTransaction = transaction.GetDbTransaction();
        _dbConnection = context.Database.GetDbConnection();
        _database = database;
        _commandTimeout = commandTimeout;
        _writersTurn = writersTurn;
        _logger = logger;
        _isAnchored = database.Sql.SetAnchor is not null;
        TransactionGuard.Guard(context, this);
    }

    /// <summary>EF Core's id of the transaction.</summary>
    public Guid Id => _transaction.TransactionId;

    /// <summary>Whether the library is ending the transaction.</summary>
    public bool IsEnding { get; private set; }

    /// <summary>Whether a failed statement rolled back the transaction, so that the client would run the next one outside it, where it is committed immediately.</summary>
    public bool WasUndone { get; private set; }

    public bool AllowsOtherWriters => !_database.Sql.HasOneWriter;

    public bool WasEndedByHandler { get; private set; }

    public async ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken)
    {
        if (!await IsUnderWayAsync(cancellationToken))
        {
            if (WasUndone)
            {
                throw new InvalidOperationException(
                    "A statement of the handler failed because of a conflict with another transaction and the handler continued, but the database rolled back the whole transaction. " +
                    "Nothing was committed. Let the exception leave the handler. The client can retry the request.");
            }

            WasEndedByHandler = IsConnected;
            throw new InvalidOperationException(
                "The handler ended its transaction, or lost its connection and continued, so its response cannot be recorded together with its writes. " +
                "Remove the code that commits, rolls back or disposes of the context's current transaction, replaces it with UseTransaction(...), or closes its connection. Let connection exceptions leave the handler.");
        }

        await using (var command = EntityFrameworkCoreRecord.Create(_dbConnection, _database.Sql.Complete, _commandTimeout, _dbTransaction))
        {
            EntityFrameworkCoreRecord.AddCompletion(command, _database.Sql, key, owner, payload, retention);
            try
            {
                if (await command.ExecuteNonQueryAsync(cancellationToken) == 0)
                {
                    await RollBackAsync();
                    return false;
                }
            }
            catch (DbException failed) when (failed.SqlState == "25P02")
            {
                throw new InvalidOperationException(
                    "A statement of the handler failed and the handler continued, but PostgreSQL aborted the transaction with that statement. Nothing was committed. " +
                    "Let the exception leave the handler, or set a savepoint before a statement that may fail (SaveChanges does so itself) and roll back to it.", failed);
            }
        }

        IsEnding = true;
        try
        {
            await _transaction.CommitAsync(cancellationToken);
        }
        catch (DbException refused) when (DatabaseConflict.IsConstraint(refused))
        {
            throw new InvalidOperationException("The handler's writes violate a constraint that the database checks on commit. Nothing was committed.", refused);
        }

        _isCommitted = true;
        return true;
    }

    public bool IsConflict(Exception exception)
    {
        NoteFailure(exception);
        return DatabaseConflict.Is(exception);
    }

    /// <summary>Records that the database rolled back the transaction.</summary>
    public void NoteFailure(Exception exception)
    {
        WasUndone |= _database.Sql.SetAnchor is not null && DatabaseConflict.Is(exception);
        _hasFailed |= DatabaseConflict.IsOfDatabase(exception);
    }

    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
        {
            return; // the context may be in another transaction by now
        }

        _isDisposed = true;
        try
        {
            // If the connection is lost, everything is rolled back, and the guard has prevented a new connection. Otherwise, if the transaction is no longer ours to end, the handler has ended it.
            WasEndedByHandler |= !IsEnding && IsContextOurs && IsConnected && !(MayBeUndone ? IsCurrent : await IsUnderWayOrLostAsync());
            IsEnding = true;
            // Rolls back uncommitted changes. Only EF Core's object: it knows whether it was disposed of before, and the client's object may be another transaction by now.
            await _transaction.DisposeAsync();
        }
        catch (Exception exception)
        {
            // The connection is broken, or closed. The database rolls back uncommitted changes. Except SQLite: it fails only if there is nothing to roll back, after a COMMIT in SQL.
            WasEndedByHandler |= _database.Sql.HasOneWriter && !_isCommitted && IsContextOurs && IsConnected;
            Log.RollbackFailed(_logger, exception);
        }

        try
        {
            if (!_isCommitted && IsContextOurs)
            {
                _context.ChangeTracker.Clear();
            }
        }
        catch (ObjectDisposedException)
        {
            // In that case, nobody will save the changes.
        }
        catch (Exception exception)
        {
            // Work that the handler left running is still using it.
            Log.ChangesNotDiscarded(_logger, exception);
        }
        finally
        {
            TransactionGuard.Release(_context, this);
            _writersTurn?.Dispose();
        }
    }

    // A handler can dispose of its scope, and a pooled context may belong to another request by now.
    private bool IsContextOurs => _context.ContextId == _contextId;

    // To the client, it looks the same as a commit. If no statement has failed, it was a commit.
    private bool MayBeUndone => WasUndone || (_database.Sql.EndsTransactions && _hasFailed);

    private bool IsCurrent => ReferenceEquals(_context.Database.CurrentTransaction, _transaction);

    private bool IsConnected => _dbConnection.State == ConnectionState.Open;

    private async ValueTask<bool> IsUnderWayOrLostAsync()
    {
        try
        {
            return await IsUnderWayAsync(CancellationToken.None);
        }
        catch (Exception)
        {
            return true; // The connection is lost, and the transaction with it: the handler has not ended it.
        }
    }

    private async Task RollBackAsync()
    {
        IsEnding = true;
        try
        {
            await _transaction.RollbackAsync(CancellationToken.None);
        }
        catch (Exception exception)
        {
            // The connection is broken. The database rolls back uncommitted changes, and only we could commit them.
            Log.RollbackFailed(_logger, exception);
        }
    }

    /// <remarks>
    /// A transaction that was ended without EF Core must be detected too; otherwise, the completion would be written outside it. No client reports it directly, but each fails to return the
    /// isolation level of a transaction that has ended; and where it does not fail, the savepoint that was set at the start no longer exists.
    /// </remarks>
    private async ValueTask<bool> IsUnderWayAsync(CancellationToken cancellationToken)
    {
        try
        {
            _ = _dbTransaction.IsolationLevel;
            if (!IsCurrent || !IsConnected || !ReferenceEquals(_dbTransaction.Connection, _context.Database.GetDbConnection()))
            {
                return false;
            }
        }
        catch (InvalidOperationException)
        {
            return false;
        }

        if (!_isAnchored)
        {
            return true;
        }

        try
        {
            await using var command = EntityFrameworkCoreRecord.Create(_dbConnection, _database.Sql.ReleaseAnchor!, _commandTimeout, _dbTransaction);
            await command.ExecuteNonQueryAsync(cancellationToken);
            _isAnchored = false;
            return true;
        }
        catch (DbException gone) when (DatabaseConflict.IsMissingSavepoint(gone))
        {
            return false;
        }
    }
}
