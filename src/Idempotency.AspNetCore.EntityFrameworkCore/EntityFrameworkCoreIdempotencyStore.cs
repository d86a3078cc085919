using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Stores records in the application's own database, one row per key. The README of the package describes the table, the engines and the rules for handlers in the same transaction.</summary>
/// <remarks>
/// <para>Each operation is one command on a separate connection, with a context from a separate scope: never the handler's, because others could not see
/// into its transaction. Completing, renewing and releasing are a compare-and-set in one statement. Time is the database's clock.</para>
/// <para><see cref="BeginTransactionAsync"/> is for handlers whose effects and response are committed together.</para>
/// </remarks>
/// <typeparam name="TDbContext">The application's context, whose model contains the records.</typeparam>
public sealed class EntityFrameworkCoreIdempotencyStore<TDbContext> : ITransactionalIdempotencyStore, IAbandonedClaimSource
    where TDbContext : DbContext
{
    private const int MostTries = 5;
    private const int PageSize = 500;

    private readonly IServiceScopeFactory _scopes;
    private readonly EntityFrameworkCoreIdempotencyStoreOptions _options;
    private readonly ILogger _logger;
    private readonly int _commandTimeout;
    private RecordsDatabase? _database;

    /// <summary>Creates the store. Applications register it with <c>AddIdempotency().AddEntityFrameworkCoreStore&lt;TDbContext&gt;()</c>.</summary>
    /// <param name="scopes">Creates the contexts, one for each operation.</param>
    /// <param name="options">The options of the store.</param>
    /// <param name="logger">Logs errors when a handler's transaction is disposed of.</param>
    public EntityFrameworkCoreIdempotencyStore(IServiceScopeFactory scopes, IOptions<EntityFrameworkCoreIdempotencyStoreOptions> options, ILogger<EntityFrameworkCoreIdempotencyStore<TDbContext>> logger)
    {
        ArgumentNullException.ThrowIfNull(scopes);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        _scopes = scopes;
        _options = options.Value;
        _logger = logger;
        _commandTimeout = (int)Math.Ceiling(_options.CommandTimeout.TotalSeconds);
    }

    /// <summary>64 MiB: databases accept more, but become slow.</summary>
    public int MaxPayloadSize => 64 * 1024 * 1024;

    // Several requests may create it at once, with equal results.
    private RecordsDatabase Database => _database ??= RecordsDatabase.Of<TDbContext>(_scopes);

    /// <inheritdoc/>
    public async ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        while (true)
        {
            var result = Database.Sql.HasOneWriter
                ? await LookAndTakeAsync(key, claim, cancellationToken)
                : await TakeOrLookAsync(key, claim, cancellationToken);
            if (result.IsAcquired || result.Existing is not null || claim.Supersedes is not null)
            {
                return result;
            }

            // The existing record was removed between the two reads: the key is free, or has a new owner.
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        WriteOneAsync(Database.Sql.Renew, command => EntityFrameworkCoreRecord.AddRenewal(command, key, owner, lease, retention), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        WriteOneAsync(Database.Sql.Mark, command => EntityFrameworkCoreRecord.AddRenewal(command, key, owner, lease, retention), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        WriteOneAsync(Database.Sql.SaveSteps, command => EntityFrameworkCoreRecord.AddSteps(command, Database.Sql, key, owner, steps, lease, retention), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
        WriteOneAsync(Database.Sql.Complete, command => EntityFrameworkCoreRecord.AddCompletion(command, Database.Sql, key, owner, payload, retention), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken) =>
        WriteOneAsync(Database.Sql.Release, command => EntityFrameworkCoreRecord.AddRelease(command, key, owner), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken) => await CallAsync(
        Database.Sql.Read,
        command => EntityFrameworkCoreRecord.AddKey(command, key),
        static async (command, cancellation) =>
        {
            await using var reader = await command.ExecuteReaderAsync(cancellation);
            return await reader.ReadAsync(cancellation) ? EntityFrameworkCoreRecord.Parse(reader) : null;
        },
        cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken) =>
        WriteOneAsync(Database.Sql.Delete, command => EntityFrameworkCoreRecord.AddKey(command, key), cancellationToken);

    /// <inheritdoc/>
    /// <remarks>Reads the whole table, one page at a time, so that no page is locked for long.</remarks>
    public async IAsyncEnumerable<AbandonedClaim> ListAbandonedAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        byte[] after = [];
        List<AbandonedClaim> page;
        do
        {
            var from = after;
            page = await CallAsync(Database.Sql.Abandoned, command => EntityFrameworkCoreRecord.AddPage(command, from, PageSize), ReadPageAsync, cancellationToken);
            foreach (var claim in page)
            {
                yield return claim;
            }

            after = page.Count > 0 ? EntityFrameworkCoreRecord.BytesOf(page[^1].StoreKey.Hash) : after;
        }
        while (page.Count == PageSize);
    }

    /// <inheritdoc/>
    public async ValueTask<IIdempotencyTransaction> BeginTransactionAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(services);
        cancellationToken.ThrowIfCancellationRequested();
        var database = Database;
        var context = services.GetRequiredService<TDbContext>();
        EnsureCanBegin(context, services);
        var writersTurn = database.Gate is { } gate ? await gate.EnterAsync(_options.CommandTimeout, cancellationToken) : null;
        IDbContextTransaction? transaction = null;
        try
        {
            transaction = _options.IsolationLevel is { } isolation && !database.Sql.HasOneWriter // it is serializable in any case, and rejects some of the names
                ? await context.Database.BeginTransactionAsync(isolation, cancellationToken)
                : await context.Database.BeginTransactionAsync(cancellationToken);
            if (database.Sql.SetAnchor is { } anchor)
            {
                await using var command = EntityFrameworkCoreRecord.Create(context.Database.GetDbConnection(), anchor, _commandTimeout, transaction.GetDbTransaction());
                await command.ExecuteNonQueryAsync(cancellationToken);
            }

            return new HandlerTransaction(context, transaction, database, _commandTimeout, writersTurn, _logger);
        }
        catch
        {
            transaction?.Dispose();
            writersTurn?.Dispose();
            throw;
        }
    }

    /// <summary>Fails if the context cannot store records. It does not connect.</summary>
    internal void Check() => _ = Database;

    /// <summary>Fails if the database has no records table, or the table lacks a column. An unavailable database is logged, and does not fail.</summary>
    internal async Task CheckTableAsync(CancellationToken cancellationToken)
    {
        if (!_options.CheckTableOnStart)
        {
            return;
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_options.CommandTimeout);
        try
        {
            // No record has this key; the statement names every column.
            await ReadAsync(new StoreKey(Sha256Hash.Of([])), patience.Token);
        }
        catch (Exception missing) when (DatabaseConflict.IsMissingTable(missing))
        {
            var name = typeof(TDbContext).Name;
            throw new InvalidOperationException(
                $"The database of '{name}' has no idempotency records table that matches the model: {missing.Message} " +
                $"Add it with a migration: dotnet ef migrations add IdempotencyRecords --context {name}, then dotnet ef database update --context {name}. " +
                $"If the table is created after the host has started, set {nameof(EntityFrameworkCoreIdempotencyStoreOptions)}.{nameof(EntityFrameworkCoreIdempotencyStoreOptions.CheckTableOnStart)} to false.", missing);
        }
        catch (Exception unreachable) when (!cancellationToken.IsCancellationRequested)
        {
            Log.TableNotChecked(_logger, unreachable);
        }
    }

    /// <summary>Deletes expired records, in batches.</summary>
    /// <returns>The number of deleted records.</returns>
    internal async Task<int> RemoveExpiredAsync(CancellationToken cancellationToken)
    {
        var total = 0;
        int removed;
        do
        {
            removed = await WriteAsync(Database.Sql.RemoveExpired, command => EntityFrameworkCoreRecord.AddLimit(command, _options.RemovalBatchSize), cancellationToken);
            total += removed;
        }
        while (removed >= _options.RemovalBatchSize);
        return total;
    }

    private static void EnsureCanBegin(TDbContext context, IServiceProvider services)
    {
        const string Rule = "Idempotency starts the transaction of this handler, so that its writes and its recorded response are committed together";
        const string Separately = $"{nameof(IdempotencyPolicy)}.{nameof(IdempotencyPolicy.Transaction)} = {nameof(IdempotencyTransaction)}.{nameof(IdempotencyTransaction.Separate)}";
        var name = typeof(TDbContext).Name;
        if (!ReferenceEquals(context, services.GetRequiredService<TDbContext>()))
        {
            throw new InvalidOperationException($"{Rule}, but '{name}' is registered as transient, so the handler would write with another instance. Register it as scoped, as AddDbContext<{name}>() does.");
        }

        if (context.Database.CurrentTransaction is not null || context.Database.GetEnlistedTransaction() is not null || Transaction.Current is not null)
        {
            throw new InvalidOperationException($"{Rule}, but a transaction of '{name}' or an ambient transaction is already active. Remove the code that starts it, or set {Separately} in the endpoint's policy.");
        }

        if (context.Database.CreateExecutionStrategy().RetriesOnFailure)
        {
            throw new InvalidOperationException($"{Rule}, but '{name}' uses a retrying execution strategy (EnableRetryOnFailure), which EF Core does not support in a transaction that was started for it. Register the context without it, or set {Separately} in the endpoint's policy.");
        }
    }

    /// <summary>Tries to claim the key, and reads the existing record, in one round trip.</summary>
    private ValueTask<ClaimResult> TakeOrLookAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken) => CallAsync(
        claim.Supersedes is null ? Database.Sql.Claim : Database.Sql.Supersede,
        command => EntityFrameworkCoreRecord.AddClaim(command, key, claim),
        async (command, cancellation) =>
        {
            await using var reader = await command.ExecuteReaderAsync(cancellation);
            if (await reader.ReadAsync(cancellation))
            {
                var result = claim.Supersedes is null ? ClaimResult.Acquired : ClaimResult.TookOver(EntityFrameworkCoreRecord.StepsAt(reader, 0));
                // To the end, so that errors of the remaining statements are not lost.
                while (await reader.NextResultAsync(cancellation))
                {
                }

                return result;
            }

            await reader.NextResultAsync(cancellation);
            return ClaimResult.Held(await reader.ReadAsync(cancellation) ? EntityFrameworkCoreRecord.Parse(reader) : null);
        },
        cancellationToken);

    /// <summary>
    /// For engines with one writer at a time: a request for a key that is in use does not wait for the writer, which may be a handler. It only tries to claim a key that appears to be free.
    /// </summary>
    private async ValueTask<ClaimResult> LookAndTakeAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        var existing = await ReadAsync(key, cancellationToken);
        var looksFree = claim.Supersedes is { } superseded
            ? existing is { IsAbandoned: true, EffectsStarted: false } && existing.Owner == superseded
            : existing is null;
        if (!looksFree)
        {
            return ClaimResult.Held(existing);
        }

        var sql = claim.Supersedes is null ? Database.Sql.Claim : Database.Sql.Supersede;
        var isTaken = await WriteOneAsync(sql, command => EntityFrameworkCoreRecord.AddClaim(command, key, claim), cancellationToken);
        if (isTaken && claim.Supersedes is null)
        {
            return ClaimResult.Acquired;
        }

        // For a takeover, these are the steps: they may have changed until then, and only the owner of this claim can change them now.
        existing = await ReadAsync(key, cancellationToken);
        return isTaken && existing?.Owner == claim.Owner ? ClaimResult.TookOver(existing.Payload) : ClaimResult.Held(existing);
    }

    private static async ValueTask<List<AbandonedClaim>> ReadPageAsync(DbCommand command, CancellationToken cancellationToken)
    {
        var page = new List<AbandonedClaim>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            page.Add(new AbandonedClaim(new StoreKey(Sha256Hash.FromBytes(reader.GetFieldValue<byte[]>(0))), reader.GetInt32(1), EntityFrameworkCoreRecord.Time(reader.GetInt64(2))));
        }

        return page;
    }

    private async ValueTask<bool> WriteOneAsync(string sql, Action<DbCommand> addParameters, CancellationToken cancellationToken) =>
        await WriteAsync(sql, addParameters, cancellationToken) == 1;

    private async ValueTask<int> WriteAsync(string sql, Action<DbCommand> addParameters, CancellationToken cancellationToken)
    {
        // Before the connection is opened, so that many waiting requests do not open many connections.
        using var writersTurn = Database.Gate is { } gate ? await gate.EnterAsync(_options.CommandTimeout, cancellationToken) : null;
        return await CallAsync(sql, addParameters, static async (command, cancellation) => await command.ExecuteNonQueryAsync(cancellation), cancellationToken);
    }

    private async ValueTask<T> CallAsync<T>(string sql, Action<DbCommand> addParameters, Func<DbCommand, CancellationToken, ValueTask<T>> execute, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // Others must see this write immediately, even if a caller has an ambient transaction.
        using var apart = Transaction.Current is null ? null : new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
        for (var tries = 1; ; tries++)
        {
            try
            {
                await using var scope = _scopes.CreateAsyncScope();
                var facade = scope.ServiceProvider.GetRequiredService<TDbContext>().Database;
                await facade.OpenConnectionAsync(cancellationToken);
                try
                {
                    await using var command = EntityFrameworkCoreRecord.Create(facade.GetDbConnection(), sql, _commandTimeout);
                    addParameters(command);
                    return await execute(command, cancellationToken);
                }
                finally
                {
                    await facade.CloseConnectionAsync();
                }
            }
            catch (DbException undone) when (tries < MostTries && !Database.Sql.HasOneWriter && DatabaseConflict.Is(undone))
            {
                // Nothing was changed. A single statement gets this if the database's default isolation is above read committed, or as a deadlock victim.
                // Not with SQLite: its client has already waited for the writer as long as allowed.
            }
        }
    }
}
