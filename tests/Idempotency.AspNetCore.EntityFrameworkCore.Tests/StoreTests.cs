using System.Transactions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>What the conformance tests leave out: races of several servers, removal of what has expired, callers with transactions of their own.</summary>
public abstract class StoreTests(TestDatabase database)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private const string CountRecords = "SELECT COUNT(*) FROM \"IdempotencyRecords\"";

    internal static StoreKey NewKey() => new(Sha256Hash.Of(Guid.NewGuid().ToByteArray()));

    internal static IdempotencyClaim NewClaim(Guid? supersedes = null) => new()
    {
        Owner = Guid.NewGuid(),
        Fingerprint = new Fingerprint(Sha256Hash.Of("the request"u8)),
        Attempt = supersedes is null ? 1 : 2,
        Lease = Hour,
        Retention = Hour,
        Supersedes = supersedes,
    };

    internal static IdempotencySteps Steps(int version, params byte[] data) => new() { Version = version, Data = data, EffectsStarted = false };

    private async Task<Guid> ClaimAsync(StoreKey key)
    {
        var claim = NewClaim();
        Assert.True((await database.Store.ClaimAsync(key, claim, default)).IsAcquired);
        return claim.Owner;
    }

    [Fact]
    public async Task A_key_that_many_servers_claim_and_release_has_one_owner_at_a_time()
    {
        var stores = Enumerable.Range(0, 3).Select(_ => TestDatabase.StoreOf(database.NewApplication())).ToList();
        var key = NewKey();
        var (owners, acquired) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Task.Run(async () =>
        {
            for (var round = 0; round < 25; round++)
            {
                var claim = NewClaim();
                var result = await stores[i % stores.Count].ClaimAsync(key, claim, default);
                if (!result.IsAcquired)
                {
                    Assert.NotNull(result.Existing); // refused only because of something, however fast that comes and goes
                    continue;
                }

                Assert.Equal(1, Interlocked.Increment(ref owners));
                Interlocked.Increment(ref acquired);
                Interlocked.Decrement(ref owners);
                Assert.True(await stores[(i + 1) % stores.Count].ReleaseAsync(key, claim.Owner, default));
            }
        })));
        Assert.True(acquired > 0);
        await ClaimAsync(key);
    }

    [Fact]
    public async Task Of_many_servers_that_find_an_expired_record_one_takes_its_key_while_it_is_removed()
    {
        var stores = Enumerable.Range(0, 4).Select(_ => TestDatabase.StoreOf(database.NewApplication())).ToList();
        for (var round = 0; round < 10; round++)
        {
            var key = NewKey();
            Assert.True(await database.Store.CompleteAsync(key, await ClaimAsync(key), new byte[] { 1 }, Hour, default));
            await database.PassAsync(2 * Hour);
            var removal = Task.Run(() => stores[0].RemoveExpiredAsync(default));
            var results = await Task.WhenAll(stores.SelectMany(store => Enumerable.Range(0, 4).Select(_ => Task.Run(async () => await store.ClaimAsync(key, NewClaim(), default)))));
            await removal;
            Assert.Single(results, result => result.IsAcquired);
            var record = await database.Store.ReadAsync(key, default);
            Assert.Equal(IdempotencyRecordStatus.InProgress, record!.Status);
            Assert.True(record.Payload.IsEmpty);
        }
    }

    [Fact]
    public async Task Expired_records_are_removed_in_batches_by_several_servers_at_once_and_no_others_are()
    {
        await database.RemoveAllRecordsAsync();
        for (var i = 0; i < 50; i++)
        {
            var key = NewKey();
            var owner = await ClaimAsync(key);
            Assert.True(i % 2 == 0 ? await database.Store.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default) : await database.Store.RenewAsync(key, owner, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1), default));
        }

        await database.PassAsync(2 * Hour);
        var (running, lapsed, done) = (NewKey(), NewKey(), NewKey());
        await ClaimAsync(running);
        Assert.True(await database.Store.RenewAsync(lapsed, await ClaimAsync(lapsed), TimeSpan.Zero, Hour, default));
        Assert.True(await database.Store.CompleteAsync(done, await ClaimAsync(done), new byte[] { 1 }, Hour, default));

        var servers = Enumerable.Range(0, 3).Select(_ => TestDatabase.StoreOf(database.NewApplication(options => options.RemovalBatchSize = 7))).ToList();
        var removed = await Task.WhenAll(servers.Select(server => Task.Run(() => server.RemoveExpiredAsync(default))));
        Assert.True(removed.Sum() <= 50);
        // One that found only rows which others were removing has stopped early; what is left goes next time.
        Assert.Equal(50, removed.Sum() + await servers[0].RemoveExpiredAsync(default));
        Assert.Equal(3, await database.CountAsync(CountRecords));
        foreach (var key in new[] { running, lapsed, done })
        {
            Assert.NotNull(await database.Store.ReadAsync(key, default));
        }
    }

    [Fact]
    public async Task A_takeover_finds_every_step_that_the_former_owner_saved_until_that_moment()
    {
        // The former owner's lease is over each time it has saved, and it goes on saving: what it was told is saved, whoever takes over must have.
        var stores = Enumerable.Range(0, 2).Select(_ => TestDatabase.StoreOf(database.NewApplication())).ToList();
        for (var round = 0; round < 10; round++)
        {
            var (key, saved) = (NewKey(), 0);
            var owner = await ClaimAsync(key);
            Assert.True(await stores[0].SaveStepsAsync(key, owner, Steps(1, 1), TimeSpan.Zero, Hour, default));
            var saving = Task.Run(async () =>
            {
                saved = 1;
                while (saved < 200 && await stores[0].SaveStepsAsync(key, owner, Steps(saved + 1, (byte)(saved + 1)), TimeSpan.Zero, Hour, default))
                {
                    saved++;
                }
            });
            var taken = await stores[1].ClaimAsync(key, NewClaim(supersedes: owner), default);
            while (!taken.IsAcquired)
            {
                Assert.Equal(owner, taken.Existing!.Owner);
                taken = await stores[1].ClaimAsync(key, NewClaim(supersedes: owner), default);
            }

            await saving;
            Assert.Equal([(byte)saved], taken.Steps.ToArray());
            Assert.Equal([(byte)saved], (await database.Store.ReadAsync(key, default))!.Payload.ToArray());
        }
    }

    [Fact]
    public async Task Steps_leave_nothing_in_a_completed_record_and_nothing_for_the_next_use_of_the_key()
    {
        await database.RemoveAllRecordsAsync();
        var key = NewKey();
        var owner = await ClaimAsync(key);
        Assert.True(await database.Store.SaveStepsAsync(key, owner, Steps(7, 1), Hour, Hour, default));
        Assert.Equal(1, await database.CountAsync("SELECT COUNT(*) FROM \"IdempotencyRecords\" WHERE \"StepsVersion\" = 7"));
        Assert.True(await database.Store.CompleteAsync(key, owner, new byte[] { 9 }, Hour, default));
        Assert.Equal(0, await database.CountAsync("SELECT COUNT(*) FROM \"IdempotencyRecords\" WHERE \"StepsVersion\" IS NOT NULL AND \"Status\" = 2"));
        var other = NewKey();
        owner = await ClaimAsync(other);
        Assert.True(await database.Store.SaveStepsAsync(other, owner, Steps(7, 1), Hour, Hour, default));
        await database.PassAsync(3 * Hour);
        owner = await ClaimAsync(other);
        Assert.True((await database.Store.ReadAsync(other, default))!.Payload.IsEmpty);
        Assert.True(await database.Store.SaveStepsAsync(other, owner, Steps(1, 2), Hour, Hour, default));
        Assert.Equal([2], (await database.Store.ReadAsync(other, default))!.Payload.ToArray());
    }

    [Fact]
    public async Task Removal_comes_round_by_the_clock_goes_on_after_a_failure_and_ends_with_the_host()
    {
        await database.RemoveAllRecordsAsync();
        var time = new FakeTimeProvider();
        var logs = new FakeLogCollector();
        await using var server = database.NewApplication(options => options.RemovalInterval = TimeSpan.FromMinutes(3), services =>
        {
            services.AddDbContext<Shop>(database.Use);
            services.AddSingleton<TimeProvider>(time);
            services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Debug).AddProvider(new FakeLoggerProvider(logs)));
        });
        foreach (var hosted in server.GetServices<IHostedService>())
        {
            await hosted.StartAsync(default);
        }

        await ClaimAsync(NewKey());
        await database.PassAsync(3 * Hour);
        await database.RenameTableAsync("IdempotencyRecords", "Elsewhere");
        await UntilAsync("RemovalFailed");
        Assert.Equal(1, await database.CountAsync("SELECT COUNT(*) FROM \"Elsewhere\""));
        await database.RenameTableAsync("Elsewhere", "IdempotencyRecords"); // from here on it may be removed: the clock has moved while we waited
        await UntilAsync("Removed");
        Assert.Equal(0, await database.CountAsync(CountRecords));
        foreach (var hosted in server.GetServices<IHostedService>())
        {
            await hosted.StopAsync(default);
        }

        foreach (var removal in server.GetServices<IHostedService>().OfType<BackgroundService>())
        {
            Assert.True(removal.ExecuteTask is null or { IsCompleted: true });
        }

        // The service begins to look at the clock when it comes to it: so the clock is moved until the event happens.
        Task UntilAsync(string happens)
        {
            logs.Clear();
            return Eventually.TrueAsync(
                () =>
                {
                    time.Advance(TimeSpan.FromMinutes(3));
                    return logs.Count(happens) > 0;
                },
                happens);
        }
    }

    [Fact]
    public async Task A_claim_does_not_follow_its_callers_ambient_transaction()
    {
        var key = NewKey();
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await ClaimAsync(key);
            var read = await Task.Run(async () =>
            {
                using var apart = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
                return await TestDatabase.StoreOf(database.NewApplication()).ReadAsync(key, default);
            });
            Assert.NotNull(read);
        }

        Assert.NotNull(await database.Store.ReadAsync(key, default));
    }

    [Fact]
    public async Task A_status_of_a_later_version_is_unreadable_and_left_alone()
    {
        var key = NewKey();
        var owner = await ClaimAsync(key);
        await database.ExecuteAsync("UPDATE \"IdempotencyRecords\" SET \"Status\" = 9");
        await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(async () => await database.Store.ReadAsync(key, default));
        await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(async () => await database.Store.ClaimAsync(key, NewClaim(), default));
        await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(async () => await database.Store.ClaimAsync(key, NewClaim(supersedes: owner), default));
        Assert.False(await database.Store.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        Assert.False(await database.Store.ReleaseAsync(key, owner, default));
        Assert.True(await database.Store.DeleteAsync(key, default)); // an operator may
        await ClaimAsync(key);
    }

    [Fact]
    public async Task Durations_without_end_are_kept_as_they_are()
    {
        var key = NewKey();
        var claim = NewClaim() with { Lease = TimeSpan.MaxValue, Retention = TimeSpan.MaxValue };
        Assert.True((await database.Store.ClaimAsync(key, claim, default)).IsAcquired);
        Assert.True((await database.Store.ReadAsync(key, default))!.LeaseRemaining > TimeSpan.FromDays(1_000_000));
        Assert.True(await database.Store.CompleteAsync(key, claim.Owner, new byte[] { 1 }, TimeSpan.MaxValue, default));
        Assert.True((await database.Store.ReadAsync(key, default))!.RetentionRemaining > TimeSpan.FromDays(1_000_000));
    }

    [Fact]
    public async Task Abandoned_claims_are_listed_over_pages()
    {
        var keys = Enumerable.Range(0, 1001).Select(_ => NewKey()).ToHashSet();
        foreach (var chunk in keys.Chunk(20))
        {
            await Task.WhenAll(chunk.Select(key => Task.Run(async () => await database.Store.ClaimAsync(key, NewClaim() with { Lease = TimeSpan.Zero }, default))));
        }

        var listed = new List<StoreKey>();
        await foreach (var claim in database.Store.ListAbandonedAsync(default))
        {
            listed.Add(claim.StoreKey);
        }

        Assert.Equal(listed.Count, listed.Distinct().Count());
        Assert.Subset(listed.ToHashSet(), keys);
    }
}

public sealed class SqliteStoreTests(SqliteDatabase database) : StoreTests(database), IClassFixture<SqliteDatabase>;

public sealed class PostgreSqlStoreTests(PostgreSqlDatabase database) : StoreTests(database), IClassFixture<PostgreSqlDatabase>;

public sealed class MariaDbStoreTests(MariaDbDatabase database) : StoreTests(database), IClassFixture<MariaDbDatabase>;
