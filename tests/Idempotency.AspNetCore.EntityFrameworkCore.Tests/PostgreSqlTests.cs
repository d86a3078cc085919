using System.Data;
using Microsoft.EntityFrameworkCore.Storage;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>What is PostgreSQL's own: others write beside a handler's transaction, and may come in its way.</summary>
public sealed class PostgreSqlTests(PostgreSqlDatabase database) : IClassFixture<PostgreSqlDatabase>
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private static async Task<(StoreKey Key, Guid Owner)> ClaimedAsync(EntityFrameworkCoreIdempotencyStore<Shop> store)
    {
        var (key, claim) = (StoreTests.NewKey(), StoreTests.NewClaim());
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        return (key, claim.Owner);
    }

    private ServiceProvider With(IsolationLevel isolation) => database.NewApplication(options => options.IsolationLevel = isolation);

    private async Task<Order> SavedAsync(int quantity = 0)
    {
        var order = new Order { Quantity = quantity };
        await using var scope = database.Application.CreateAsyncScope();
        var shop = scope.ServiceProvider.GetRequiredService<Shop>();
        shop.Add(order);
        await shop.SaveChangesAsync();
        return order;
    }

    [Fact]
    public async Task Claims_and_renewals_go_on_beside_a_handlers_transaction()
    {
        var (key, owner) = await ClaimedAsync(database.Store);
        await using var scope = database.Application.CreateAsyncScope();
        await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
        var shop = scope.ServiceProvider.GetRequiredService<Shop>();
        shop.Add(new Order());
        await shop.SaveChangesAsync();
        Assert.True(await database.Store.RenewAsync(key, owner, Hour, Hour, default));
        Assert.True(await database.Store.MarkEffectsStartedAsync(key, owner, Hour, Hour, default));
        Assert.Equal(owner, (await database.Store.ClaimAsync(key, StoreTests.NewClaim(), default)).Existing!.Owner);
        await ClaimedAsync(database.Store);
        await database.Store.RemoveExpiredAsync(default);
        Assert.True(await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
    }

    [Fact]
    public async Task A_claim_that_an_operator_deletes_while_the_handler_runs_undoes_its_writes()
    {
        var (key, owner) = await ClaimedAsync(database.Store);
        var order = new Order();
        await using (var scope = database.Application.CreateAsyncScope())
        {
            await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
            var shop = scope.ServiceProvider.GetRequiredService<Shop>();
            shop.Add(order);
            await shop.SaveChangesAsync();
            Assert.True(await database.Store.DeleteAsync(key, default));
            Assert.False(await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        }

        Assert.False(await database.HasOrderAsync(order));
    }

    [Fact]
    public async Task A_claim_that_is_taken_over_in_the_moment_of_completion_is_the_ones_who_came_first()
    {
        for (var round = 0; round < 20; round++)
        {
            var (key, owner) = await ClaimedAsync(database.Store);
            Assert.True(await database.Store.RenewAsync(key, owner, TimeSpan.Zero, Hour, default));
            var order = new Order();
            await using var scope = database.Application.CreateAsyncScope();
            await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
            var shop = scope.ServiceProvider.GetRequiredService<Shop>();
            shop.Add(order);
            await shop.SaveChangesAsync();
            var takeover = Task.Run(async () => await database.Store.ClaimAsync(key, StoreTests.NewClaim(supersedes: owner), default));
            var isCompleted = await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default);
            await transaction.DisposeAsync();
            Assert.NotEqual(isCompleted, (await takeover).IsAcquired);
            Assert.Equal(isCompleted, await database.HasOrderAsync(order));
        }
    }

    [Fact]
    public async Task A_serialization_failure_is_a_conflict_and_undoes_everything()
    {
        var application = With(IsolationLevel.Serializable);
        var store = TestDatabase.StoreOf(application);
        var order = await SavedAsync(1);
        var (key, owner) = await ClaimedAsync(store);
        await using var scope = application.CreateAsyncScope();
        var shop = scope.ServiceProvider.GetRequiredService<Shop>();
        await using (var transaction = await store.BeginTransactionAsync(scope.ServiceProvider, default))
        {
            Assert.Equal(IsolationLevel.Serializable, shop.Database.CurrentTransaction!.GetDbTransaction().IsolationLevel);
            var mine = await shop.Orders.SingleAsync(one => one.Id == order.Id);
            await database.ExecuteAsync($"UPDATE \"Orders\" SET \"Quantity\" = 5 WHERE \"Id\" = '{order.Id}'");
            mine.Quantity++;
            var failed = await Assert.ThrowsAnyAsync<Exception>(() => shop.SaveChangesAsync());
            Assert.True(transaction.IsConflict(failed));
        }

        // The same again succeeds, in the same scope.
        await using (var transaction = await store.BeginTransactionAsync(scope.ServiceProvider, default))
        {
            (await shop.Orders.SingleAsync(one => one.Id == order.Id)).Quantity++;
            await shop.SaveChangesAsync();
            Assert.True(await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        }

        Assert.Equal(6, await database.CountAsync($"SELECT \"Quantity\" FROM \"Orders\" WHERE \"Id\" = '{order.Id}'"));
    }

    [Fact]
    public async Task Above_read_committed_a_renewal_meanwhile_makes_the_completion_a_conflict()
    {
        var application = With(IsolationLevel.RepeatableRead);
        var store = TestDatabase.StoreOf(application);
        var (key, owner) = await ClaimedAsync(store);
        await using var scope = application.CreateAsyncScope();
        await using var transaction = await store.BeginTransactionAsync(scope.ServiceProvider, default);
        await scope.ServiceProvider.GetRequiredService<Shop>().Orders.CountAsync(); // its snapshot is of now
        Assert.True(await store.RenewAsync(key, owner, Hour, Hour, default));
        var failed = await Assert.ThrowsAnyAsync<Exception>(async () => await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        Assert.True(transaction.IsConflict(failed));
        await transaction.DisposeAsync();
        Assert.Equal(IdempotencyRecordStatus.InProgress, (await store.ReadAsync(key, default))!.Status);
    }

    [Fact]
    public async Task A_deadlock_is_a_conflict_for_one_and_the_other_goes_on()
    {
        var orders = new[] { await SavedAsync(), await SavedAsync() };
        var bothHaveOne = new[] { new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously) };
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 2).Select(i => Task.Run(async () =>
        {
            var (key, owner) = await ClaimedAsync(database.Store);
            await using var scope = database.Application.CreateAsyncScope();
            await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
            var facade = scope.ServiceProvider.GetRequiredService<Shop>().Database;
            await facade.ExecuteSqlAsync($"UPDATE \"Orders\" SET \"Quantity\" = \"Quantity\" + 1 WHERE \"Id\" = {orders[i].Id}");
            bothHaveOne[i].SetResult();
            await bothHaveOne[1 - i].Task.WaitAsync(TimeSpan.FromSeconds(30));
            try
            {
                await facade.ExecuteSqlAsync($"UPDATE \"Orders\" SET \"Quantity\" = \"Quantity\" + 1 WHERE \"Id\" = {orders[1 - i].Id}");
                return await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default) ? "completed" : "lost";
            }
            catch (Exception exception)
            {
                return transaction.IsConflict(exception) ? "conflict" : exception.ToString();
            }
        })));
        Assert.Equal(["completed", "conflict"], outcomes.Order(StringComparer.Ordinal));
        foreach (var order in orders)
        {
            Assert.Equal(1, await database.CountAsync($"SELECT \"Quantity\" FROM \"Orders\" WHERE \"Id\" = '{order.Id}'"));
        }
    }

    [Fact]
    public async Task A_handler_that_goes_on_after_a_failed_statement_is_told_that_nothing_can_be_committed()
    {
        var (key, owner) = await ClaimedAsync(database.Store);
        await using var scope = database.Application.CreateAsyncScope();
        await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
        var facade = scope.ServiceProvider.GetRequiredService<Shop>().Database;
        await Assert.ThrowsAnyAsync<Exception>(() => facade.ExecuteSqlRawAsync("SELECT nonsense"));
        var told = await Assert.ThrowsAsync<InvalidOperationException>(async () => await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        Assert.Contains("savepoint", told.Message, StringComparison.Ordinal);
        Assert.False(transaction.IsConflict(told));
    }

    [Fact]
    public async Task A_database_whose_default_is_serializable_keeps_records_all_the_same()
    {
        var application = database.NewApplication(register: services => services.AddDbContext<Shop>(options =>
            options.UseNpgsql($"{database.ConnectionString};Options=-c default_transaction_isolation=serializable")));
        var store = TestDatabase.StoreOf(application);
        for (var round = 0; round < 5; round++)
        {
            var key = StoreTests.NewKey();
            var results = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () => await store.ClaimAsync(key, StoreTests.NewClaim(), default))));
            Assert.Single(results, result => result.IsAcquired);
        }
    }

    [Fact]
    public async Task Replays_and_refusals_write_nothing()
    {
        var (key, owner) = await ClaimedAsync(database.Store);
        Assert.True(await database.Store.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        var before = await VersionAsync();
        for (var i = 0; i < 3; i++)
        {
            Assert.False((await database.Store.ClaimAsync(key, StoreTests.NewClaim(), default)).IsAcquired);
        }

        Assert.Equal(before, await VersionAsync());

        // Who has locked the row, or written a newer one: PostgreSQL notes it in xmax.
        Task<long> VersionAsync() => database.CountAsync($"SELECT xmax::text::bigint FROM \"IdempotencyRecords\" WHERE \"Owner\" = '{owner}'");
    }

    [Fact]
    public async Task Removal_finds_its_rows_by_the_index()
    {
        await database.ExecuteAsync("INSERT INTO \"IdempotencyRecords\" (\"Key\", \"Status\", \"Owner\", \"Attempt\", \"Fingerprint\", \"LeaseUntil\", \"GoneAt\") SELECT sha256(i::text::bytea), 2, gen_random_uuid(), 1, sha256(i::text::bytea), 0, 9000000000000 + i FROM generate_series(1, 20000) i");
        await database.ExecuteAsync("ANALYZE \"IdempotencyRecords\"");
        await using var scope = database.Application.CreateAsyncScope();
        var sql = new PostgreSqlRecordSql(RecordsTable.Of(scope.ServiceProvider.GetRequiredService<Shop>())).RemoveExpired.Replace("@limit", "1000", StringComparison.Ordinal);
        var explain = "EXPLAIN " + sql;
        var plan = string.Join('\n', await scope.ServiceProvider.GetRequiredService<Shop>().Database.SqlQueryRaw<string>(explain).ToListAsync());
        Assert.Contains("Index Scan using \"IX_IdempotencyRecords_GoneAt\"", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
        await database.ExecuteAsync("DELETE FROM \"IdempotencyRecords\" WHERE \"GoneAt\" > 9000000000000");
    }
}
