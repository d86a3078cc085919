using System.Data.Common;
using Microsoft.EntityFrameworkCore.Storage;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>What a handler writes and the record of its answer: both or neither.</summary>
public abstract class TransactionTests(TestDatabase database)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly byte[] Payload = [1, 2, 3];

    /// <summary>A handler's run: its scope, its claim and its transaction.</summary>
    private sealed class Run(AsyncServiceScope scope, EntityFrameworkCoreIdempotencyStore<Shop> store, StoreKey key, Guid owner, IIdempotencyTransaction transaction) : IAsyncDisposable
    {
        public StoreKey Key => key;

        public Guid Owner => owner;

        public Shop Shop { get; } = scope.ServiceProvider.GetRequiredService<Shop>();

        public IIdempotencyTransaction Transaction => transaction;

        public ValueTask<bool> CompleteAsync() => transaction.CompleteAsync(key, owner, Payload, Hour, default);

        public async Task<IdempotencyRecordStatus?> StatusAsync() => (await store.ReadAsync(key, default))?.Status;

        public async Task<Order> OrderAsync()
        {
            var order = new Order();
            Shop.Add(order);
            await Shop.SaveChangesAsync();
            return order;
        }

        public async ValueTask DisposeAsync()
        {
            await transaction.DisposeAsync();
            await scope.DisposeAsync();
        }
    }

    private async Task<Run> BeginAsync(IServiceProvider? application = null)
    {
        application ??= database.Application;
        var store = TestDatabase.StoreOf(application);
        var (key, claim) = (StoreTests.NewKey(), StoreTests.NewClaim());
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        var scope = application.CreateAsyncScope();
        return new Run(scope, store, key, claim.Owner, await store.BeginTransactionAsync(scope.ServiceProvider, default));
    }

    [Fact]
    public async Task A_completed_run_commits_its_writes_and_its_record()
    {
        await using var run = await BeginAsync();
        Assert.Equal(database.TakesOtherWriters, run.Transaction.AllowsOtherWriters);
        var (first, second) = (await run.OrderAsync(), await run.OrderAsync());
        Assert.False(await database.HasOrderAsync(first));
        Assert.Equal(IdempotencyRecordStatus.InProgress, await run.StatusAsync());
        Assert.True(await run.CompleteAsync());
        await run.Transaction.DisposeAsync();
        Assert.True(await database.HasOrderAsync(first));
        Assert.True(await database.HasOrderAsync(second));
        var record = await database.Store.ReadAsync(run.Key, default);
        Assert.Equal(IdempotencyRecordStatus.Completed, record!.Status);
        Assert.Equal(Payload, record.Payload.ToArray());
    }

    [Fact]
    public async Task A_run_that_is_not_completed_leaves_nothing_and_its_scope_can_go_on()
    {
        Order written, kept = new();
        await using var run = await BeginAsync();
        written = await run.OrderAsync();
        run.Shop.Add(new Order()); // and never saved
        await run.Transaction.DisposeAsync();
        await run.Transaction.DisposeAsync(); // twice is once
        Assert.Empty(run.Shop.ChangeTracker.Entries());
        Assert.Null(run.Shop.Database.CurrentTransaction);
        Assert.False(await database.HasOrderAsync(written));
        Assert.Equal(IdempotencyRecordStatus.InProgress, await run.StatusAsync());
        run.Shop.Add(kept);
        await run.Shop.SaveChangesAsync();
        Assert.True(await database.HasOrderAsync(kept));
        Assert.Equal(1, await database.CountAsync("SELECT COUNT(*) FROM \"Orders\" WHERE \"Id\" = '" + (database.TakesOtherWriters ? $"{kept.Id}" : $"{kept.Id}".ToUpperInvariant()) + "'"));
        Assert.True(await database.Store.ReleaseAsync(run.Key, run.Owner, default));
    }

    [Fact]
    public async Task Another_attempt_can_begin_in_the_same_scope()
    {
        await using var run = await BeginAsync();
        await run.OrderAsync();
        await run.Transaction.DisposeAsync();
        var again = new Order();
        await using var scope = database.Application.CreateAsyncScope();
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
            var shop = scope.ServiceProvider.GetRequiredService<Shop>();
            shop.Add(again);
            await shop.SaveChangesAsync();
            if (attempt == 2)
            {
                Assert.True(await transaction.CompleteAsync(run.Key, run.Owner, Payload, Hour, default));
            }
        }

        Assert.True(await database.HasOrderAsync(again));
    }

    [Fact]
    public async Task A_run_whose_claim_is_lost_writes_nothing()
    {
        await using var run = await BeginAsync();
        var order = await run.OrderAsync();
        Assert.False(await run.Transaction.CompleteAsync(run.Key, Guid.NewGuid(), Payload, Hour, default));
        Assert.Null(run.Shop.Database.CurrentTransaction); // rolled back by then, not only when it is disposed of
        await run.Transaction.DisposeAsync();
        Assert.Empty(run.Shop.ChangeTracker.Entries());
        Assert.False(await database.HasOrderAsync(order));
        Assert.Equal(IdempotencyRecordStatus.InProgress, await run.StatusAsync());
    }

    [Fact]
    public async Task The_handler_may_use_SQL_and_savepoints_and_survive_a_failed_save()
    {
        await using var run = await BeginAsync();
        var first = await run.OrderAsync();
        var current = run.Shop.Database.CurrentTransaction!;
        await using (var command = run.Shop.Database.GetDbConnection().CreateCommand())
        {
            command.Transaction = current.GetDbTransaction();
            command.CommandText = database.Sql("UPDATE \"Orders\" SET \"Quantity\" = 7 WHERE \"Name\" = '" + first.Name + "'");
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
        }

        await current.CreateSavepointAsync("before");
        var undone = await run.OrderAsync();
        await current.RollbackToSavepointAsync("before");
        run.Shop.ChangeTracker.Clear();

        run.Shop.Add(new Order { Name = first.Name });
        await Assert.ThrowsAsync<DbUpdateException>(() => run.Shop.SaveChangesAsync()); // it goes back to a savepoint of its own
        run.Shop.ChangeTracker.Clear();
        var last = await run.OrderAsync();

        Assert.True(await run.CompleteAsync());
        await run.Transaction.DisposeAsync();
        Assert.True(await database.HasOrderAsync(first));
        Assert.False(await database.HasOrderAsync(undone));
        Assert.True(await database.HasOrderAsync(last));
        Assert.Equal(7, await database.CountAsync($"SELECT \"Quantity\" FROM \"Orders\" WHERE \"Name\" = '{first.Name}'"));
    }

    [Fact]
    public async Task Nobody_but_the_library_commits_or_rolls_back()
    {
        await using var run = await BeginAsync();
        var order = await run.OrderAsync();
        var facade = run.Shop.Database;
        foreach (var end in new Func<Task>[]
        {
            () => { facade.CommitTransaction(); return Task.CompletedTask; },
            () => facade.CommitTransactionAsync(),
            () => { facade.RollbackTransaction(); return Task.CompletedTask; },
            () => facade.RollbackTransactionAsync(),
            () => facade.CurrentTransaction!.CommitAsync(),
            () => facade.CurrentTransaction!.RollbackAsync(),
        })
        {
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(end);
            Assert.Contains("idempotency started it", refused.Message, StringComparison.Ordinal);
        }

        Assert.Contains("transaction", (await Assert.ThrowsAsync<InvalidOperationException>(() => facade.BeginTransactionAsync())).Message, StringComparison.Ordinal);
        Assert.True(await run.CompleteAsync());
        await run.Transaction.DisposeAsync();
        Assert.True(await database.HasOrderAsync(order));

        await using var own = await facade.BeginTransactionAsync(); // afterwards it is the scope's business again
        await own.CommitAsync();
    }

    [Theory]
    [InlineData("disposes of it")]
    [InlineData("puts it aside")]
    [InlineData("commits past EF Core")]
    [InlineData("closes the connection")]
    public async Task A_run_that_has_ended_its_transaction_all_the_same_is_told_so(string how)
    {
        await using var run = await BeginAsync();
        await run.OrderAsync();
        var facade = run.Shop.Database;
        switch (how)
        {
            case "disposes of it":
                await facade.CurrentTransaction!.DisposeAsync();
                break;
            case "puts it aside":
                facade.UseTransaction(null);
                break;
            case "commits past EF Core":
                await facade.CurrentTransaction!.GetDbTransaction().CommitAsync();
                break;
            default:
                await facade.GetDbConnection().CloseAsync();
                break;
        }

        var told = await Assert.ThrowsAsync<InvalidOperationException>(async () => await run.CompleteAsync());
        Assert.Contains("ended its transaction", told.Message, StringComparison.Ordinal);
        await run.Transaction.DisposeAsync();
        Assert.Equal(IdempotencyRecordStatus.InProgress, await run.StatusAsync());
        await using var next = await BeginAsync(); // nothing is left in the way of the next
        Assert.True(await next.CompleteAsync());
    }

    [Fact]
    public async Task A_transaction_under_way_is_refused_with_a_message()
    {
        await using var scope = database.Application.CreateAsyncScope();
        var facade = scope.ServiceProvider.GetRequiredService<Shop>().Database;
        await using (await facade.BeginTransactionAsync())
        {
            await Refused("is already active");
        }

        using (new System.Transactions.TransactionScope(System.Transactions.TransactionScopeAsyncFlowOption.Enabled))
        {
            await Refused("is already active");
        }

        await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
        await Refused("is already active"); // its own, too

        async Task Refused(string why)
        {
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(async () => await database.Store.BeginTransactionAsync(scope.ServiceProvider, default));
            Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_context_that_repeats_by_itself_or_is_transient_is_refused_with_a_message()
    {
        var repeating = database.NewApplication(register: services => services.AddDbContext<Shop>(options =>
        {
            database.Use(options);
            options.ReplaceService<IExecutionStrategyFactory, RepeatingFactory>();
        }));
        await Refused(repeating, "EnableRetryOnFailure");
        await Refused(database.NewApplication(register: services => services.AddDbContext<Shop>(database.Use, ServiceLifetime.Transient, ServiceLifetime.Singleton)), "transient");

        // As a plain store both are all right.
        Assert.True((await TestDatabase.StoreOf(repeating).ClaimAsync(StoreTests.NewKey(), StoreTests.NewClaim(), default)).IsAcquired);

        static async Task Refused(IServiceProvider application, string why)
        {
            await using var scope = application.CreateAsyncScope();
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(async () => await TestDatabase.StoreOf(application).BeginTransactionAsync(scope.ServiceProvider, default));
            Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("scoped")]
    [InlineData("scoped, after the store")]
    [InlineData("pooled")]
    [InlineData("factory")]
    [InlineData("pooled factory")]
    public async Task However_the_context_is_registered_it_takes_part(string how)
    {
        var application = database.NewApplication(register: services => _ = how switch
        {
            "scoped" => services.AddDbContext<Shop>(database.Use),
            "scoped, after the store" => services.AddIdempotency().AddEntityFrameworkCoreStore<Shop>().Services.AddDbContext<Shop>(database.Use),
            "pooled" => services.AddDbContextPool<Shop>(database.Use),
            "factory" => services.AddDbContextFactory<Shop>(database.Use),
            _ => services.AddPooledDbContextFactory<Shop>(database.Use),
        });
        for (var round = 0; round < 3; round++)
        {
            Order undone, done;
            await using (var run = await BeginAsync(application))
            {
                undone = await run.OrderAsync();
                await Assert.ThrowsAsync<InvalidOperationException>(() => run.Shop.Database.CommitTransactionAsync());
            }

            await using (var run = await BeginAsync(application))
            {
                done = await run.OrderAsync();
                Assert.True(await run.CompleteAsync());
            }

            Assert.False(await database.HasOrderAsync(undone));
            Assert.True(await database.HasOrderAsync(done));
        }
    }

    [Fact]
    public async Task An_answers_retention_counts_from_its_completion_not_from_the_beginning_of_its_transaction()
    {
        await using var run = await BeginAsync();
        await run.OrderAsync(); // the transaction's own time is fixed by now
        var before = await NowAsync();
        Assert.True(await run.CompleteAsync());
        await run.Transaction.DisposeAsync();
        Assert.True(await database.CountAsync("SELECT MAX(\"GoneAt\") FROM \"IdempotencyRecords\" WHERE \"Owner\" = '" + (database.TakesOtherWriters ? $"{run.Owner}" : $"{run.Owner}".ToUpperInvariant()) + "'") >= before + (long)Hour.TotalMilliseconds);

        // The database's clock, once it has gone on by a few milliseconds: they are what would be missing.
        async Task<long> NowAsync()
        {
            var start = await database.CountAsync(database.Now);
            long now;
            while ((now = await database.CountAsync(database.Now)) < start + 5)
            {
            }

            return now;
        }
    }

    [Fact]
    public async Task Disposing_never_throws_whatever_became_of_the_connection()
    {
        var run = await BeginAsync();
        var order = await run.OrderAsync();
        await run.Shop.Database.GetDbConnection().DisposeAsync();
        await run.Shop.DisposeAsync();
        await run.Transaction.DisposeAsync();
        await run.DisposeAsync();
        Assert.False(await database.HasOrderAsync(order));
        await using var next = await BeginAsync();
        Assert.True(await next.CompleteAsync());
    }

    [Fact]
    public async Task An_ordinary_failure_is_no_conflict()
    {
        await using var run = await BeginAsync();
        var order = await run.OrderAsync();
        run.Shop.Add(new Order { Name = order.Name });
        var failed = await Assert.ThrowsAsync<DbUpdateException>(() => run.Shop.SaveChangesAsync());
        Assert.False(run.Transaction.IsConflict(failed));
        Assert.False(run.Transaction.IsConflict(new InvalidOperationException("40001")));
    }

    private sealed class RepeatingFactory(ExecutionStrategyDependencies dependencies) : IExecutionStrategyFactory
    {
        public IExecutionStrategy Create() => new Repeating(dependencies);
    }

    private sealed class Repeating(ExecutionStrategyDependencies dependencies) : ExecutionStrategy(dependencies, 3, TimeSpan.FromSeconds(1))
    {
        protected override bool ShouldRetryOn(Exception exception) => exception is DbException;
    }
}

public sealed class SqliteTransactionTests(SqliteDatabase database) : TransactionTests(database), IClassFixture<SqliteDatabase>;

public sealed class PostgreSqlTransactionTests(PostgreSqlDatabase database) : TransactionTests(database), IClassFixture<PostgreSqlDatabase>;

public sealed class MariaDbTransactionTests(MariaDbDatabase database) : TransactionTests(database), IClassFixture<MariaDbDatabase>;
