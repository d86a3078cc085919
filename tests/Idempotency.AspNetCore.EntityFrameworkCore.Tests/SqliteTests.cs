using Microsoft.Data.Sqlite;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>What is SQLite's own: there is one writer, and nobody blocks a thread for it within the process.</summary>
public sealed class SqliteTests(SqliteDatabase database) : IClassFixture<SqliteDatabase>
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private static async Task<Guid> ClaimAsync(EntityFrameworkCoreIdempotencyStore<Shop> store, StoreKey key)
    {
        var claim = StoreTests.NewClaim();
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        return claim.Owner;
    }

    [Fact]
    public async Task While_a_handler_has_the_writer_claims_wait_without_a_thread_and_what_is_known_is_told_at_once()
    {
        var (running, done) = (StoreTests.NewKey(), StoreTests.NewKey());
        var owner = await ClaimAsync(database.Store, running);
        Assert.True(await database.Store.CompleteAsync(done, await ClaimAsync(database.Store, done), new byte[] { 1 }, Hour, default));
        await using var scope = database.Application.CreateAsyncScope();
        var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
        var shop = scope.ServiceProvider.GetRequiredService<Shop>();
        shop.Add(new Order());
        await shop.SaveChangesAsync();

        // All of these return without completing, on this one thread; another server in this process waits at the same gate.
        var other = TestDatabase.StoreOf(database.NewApplication());
        var waiting = Enumerable.Range(0, 50).Select(i => (i % 2 == 0 ? database.Store : other).ClaimAsync(StoreTests.NewKey(), StoreTests.NewClaim(), default).AsTask()).ToList();
        Assert.All(waiting, claim => Assert.False(claim.IsCompleted));
        using var leaving = new CancellationTokenSource();
        var left = database.Store.ClaimAsync(StoreTests.NewKey(), StoreTests.NewClaim(), leaving.Token).AsTask();
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);

        Assert.Equal(owner, (await database.Store.ClaimAsync(running, StoreTests.NewClaim(), default)).Existing!.Owner);
        Assert.Equal(IdempotencyRecordStatus.Completed, (await database.Store.ClaimAsync(done, StoreTests.NewClaim(), default)).Existing!.Status);
        Assert.NotNull(await database.Store.ReadAsync(done, default));

        Assert.True(await transaction.CompleteAsync(running, owner, new byte[] { 1 }, Hour, default));
        await transaction.DisposeAsync();
        Assert.All(await Task.WhenAll(waiting), claim => Assert.True(claim.IsAcquired));
    }

    [Fact]
    public async Task Handlers_take_turns()
    {
        var inside = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            var key = StoreTests.NewKey();
            var owner = await ClaimAsync(database.Store, key);
            await using var scope = database.Application.CreateAsyncScope();
            await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
            Assert.Equal(1, Interlocked.Increment(ref inside));
            var shop = scope.ServiceProvider.GetRequiredService<Shop>();
            shop.Add(new Order());
            await shop.SaveChangesAsync();
            await Task.Yield();
            Interlocked.Decrement(ref inside);
            Assert.True(await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        })));
    }

    [Fact]
    public async Task Waiting_for_the_writer_ends_in_time_with_a_message()
    {
        var application = database.NewApplication(options => options.CommandTimeout = TimeSpan.FromMilliseconds(50));
        var store = TestDatabase.StoreOf(application);
        await using var scope = application.CreateAsyncScope();
        await using (await store.BeginTransactionAsync(scope.ServiceProvider, default))
        {
            var late = await Assert.ThrowsAsync<TimeoutException>(async () => await store.ClaimAsync(StoreTests.NewKey(), StoreTests.NewClaim(), default));
            Assert.Contains("CommandTimeout", late.Message, StringComparison.Ordinal);
            await using var second = application.CreateAsyncScope();
            await Assert.ThrowsAsync<TimeoutException>(async () => await store.BeginTransactionAsync(second.ServiceProvider, default));
        }

        await ClaimAsync(store, StoreTests.NewKey());
    }

    [Fact]
    public async Task A_writer_outside_the_process_is_waited_for_as_long_as_a_command_may_take()
    {
        var store = TestDatabase.StoreOf(database.NewApplication(options => options.CommandTimeout = TimeSpan.FromSeconds(1)));
        var key = StoreTests.NewKey();
        await using var outside = new SqliteConnection(database.ConnectionString); // it knows of no gate
        await outside.OpenAsync();
        await using (await outside.BeginTransactionAsync())
        {
            var busy = await Assert.ThrowsAsync<SqliteException>(async () => await store.ClaimAsync(key, StoreTests.NewClaim(), default));
            Assert.True(DatabaseConflict.Is(busy));
        }

        await ClaimAsync(store, key);
    }

    [Fact]
    public async Task A_shared_database_in_memory_will_do()
    {
        var connectionString = $"Data Source={Guid.NewGuid():N};Mode=Memory;Cache=Shared";
        await using var kept = new SqliteConnection(connectionString);
        await kept.OpenAsync();
        await using var application = database.NewApplication(register: services => services.AddDbContext<Shop>(options => options.UseSqlite(connectionString)));
        await using var scope = application.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<Shop>().Database.EnsureCreatedAsync();
        var store = TestDatabase.StoreOf(application);
        var key = StoreTests.NewKey();
        var owner = await ClaimAsync(store, key);
        await using var transaction = await store.BeginTransactionAsync(scope.ServiceProvider, default);
        Assert.True(await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        await transaction.DisposeAsync();
        Assert.Equal(IdempotencyRecordStatus.Completed, (await store.ReadAsync(key, default))!.Status);
    }

    [Theory]
    [InlineData(5, 5, true)]
    [InlineData(5, 517, true)]
    [InlineData(6, 262, true)]
    [InlineData(19, 2067, false)]
    public void Busy_and_locked_are_conflicts(int code, int extended, bool isConflict) =>
        Assert.Equal(isConflict, DatabaseConflict.Is(new DbUpdateException("saving", new SqliteException("made up", code, extended))));
}
