using System.Data;
using Microsoft.EntityFrameworkCore.Storage;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>What is PostgreSQL's own.</summary>
public sealed class PostgreSqlTests(PostgreSqlDatabase database) : ServerTests(database), IClassFixture<PostgreSqlDatabase>
{
    private ServiceProvider With(IsolationLevel isolation) => database.NewApplication(options => options.IsolationLevel = isolation);

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
