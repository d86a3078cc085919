namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>What is MariaDB's own.</summary>
public sealed class MariaDbTests(MariaDbDatabase database) : ServerTests(database), IClassFixture<MariaDbDatabase>
{
    [Fact]
    public async Task Replays_and_rejections_write_nothing()
    {
        var (key, owner) = await ClaimedAsync(database.Store);
        Assert.True(await database.Store.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        var rows = await RowsWrittenAsync();
        for (var i = 0; i < 3; i++)
        {
            Assert.False((await database.Store.ClaimAsync(key, StoreTests.NewClaim(), default)).IsAcquired);
            Assert.False((await database.Store.ClaimAsync(key, StoreTests.NewClaim(supersedes: owner), default)).IsAcquired);
        }

        Assert.Equal(rows, await RowsWrittenAsync());

        async Task<string> RowsWrittenAsync() => string.Join(' ', await database.CountAsync("SELECT GoneAt FROM IdempotencyRecords WHERE Owner = '" + owner + "'"), await database.CountAsync("SELECT COUNT(*) FROM IdempotencyRecords"));
    }

    [Fact]
    public async Task A_claim_of_a_recorded_key_does_not_wait_for_a_lock_on_its_row()
    {
        var (key, owner) = await ClaimedAsync(database.Store);
        await using var scope = database.Application.CreateAsyncScope();
        await using var transaction = await scope.ServiceProvider.GetRequiredService<Shop>().Database.BeginTransactionAsync();
        await scope.ServiceProvider.GetRequiredService<Shop>().Database.ExecuteSqlAsync($"UPDATE IdempotencyRecords SET Attempt = 1 WHERE Owner = {owner}");
        var held = await database.Store.ClaimAsync(key, StoreTests.NewClaim(), default);
        Assert.Equal(owner, held.Existing!.Owner);
    }

    [Theory]
    [InlineData("Use Affected Rows=true")]
    [InlineData("Use Affected Rows=false")]
    public async Task Renewals_in_one_millisecond_are_all_the_owners(string counting)
    {
        var store = TestDatabase.StoreOf(database.NewApplication(register: services => services.AddDbContext<Shop>(options => database.Use(options, $"{database.ConnectionString};{counting}"))));
        var (key, owner) = await ClaimedAsync(store);
        for (var i = 0; i < 200; i++)
        {
            Assert.True(await store.RenewAsync(key, owner, Hour, Hour, default));
            Assert.True(await store.MarkEffectsStartedAsync(key, owner, Hour, Hour, default));
        }
    }

    [Fact]
    public async Task A_lease_and_a_retention_count_in_any_time_zone()
    {
        var (key, owner) = await ClaimedAsync(database.Store);
        await using var scope = database.Application.CreateAsyncScope();
        var facade = scope.ServiceProvider.GetRequiredService<Shop>().Database;
        await facade.OpenConnectionAsync();
        await facade.ExecuteSqlRawAsync("SET time_zone = '-11:00'");
        await using var command = EntityFrameworkCoreRecord.Create(facade.GetDbConnection(), new MySqlRecordSql(new RecordsTable("IdempotencyRecords", column => $"`{column}`")).Read, 10);
        EntityFrameworkCoreRecord.AddKey(command, key);
        await using var reader = await command.ExecuteReaderAsync();
        Assert.True(await reader.ReadAsync());
        var record = EntityFrameworkCoreRecord.Parse(reader);
        Assert.Equal(owner, record.Owner);
        Assert.InRange(record.LeaseRemaining, Hour - TimeSpan.FromMinutes(1), Hour);
        await reader.DisposeAsync();
        await facade.ExecuteSqlRawAsync("SET time_zone = DEFAULT");
    }

    [Fact]
    public async Task In_a_snapshot_a_renewal_meanwhile_makes_the_completion_a_conflict()
    {
        var (key, owner) = await ClaimedAsync(database.Store);
        await using var scope = database.Application.CreateAsyncScope();
        var shop = scope.ServiceProvider.GetRequiredService<Shop>();
        await shop.Database.OpenConnectionAsync();
        await shop.Database.ExecuteSqlRawAsync("SET SESSION innodb_snapshot_isolation = ON"); // the default from MariaDB 11.6 on
        try
        {
            await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
            var order = new Order();
            shop.Add(order);
            await shop.SaveChangesAsync();
            await shop.Orders.CountAsync(); // its snapshot is of now
            Assert.True(await database.Store.RenewAsync(key, owner, Hour, Hour, default));
            var failed = await Assert.ThrowsAnyAsync<Exception>(async () => await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
            Assert.True(transaction.IsConflict(failed), failed.ToString());
            await transaction.DisposeAsync();
            Assert.False(transaction.WasEndedByHandler);
            Assert.False(await database.HasOrderAsync(order));
        }
        finally
        {
            await shop.Database.ExecuteSqlRawAsync("SET SESSION innodb_snapshot_isolation = DEFAULT");
        }
    }
}
