using System.Data;
using Microsoft.AspNetCore.Http;
using Npgsql;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>The same transaction on PostgreSQL, and what only its tests can arrange.</summary>
public sealed class PostgreSqlSameTransactionTests(PostgreSqlDatabase database) : ServerSameTransactionTests(database), IClassFixture<PostgreSqlDatabase>
{
    private protected override Exception Conflict() => new PostgresException("made up", "ERROR", "ERROR", "40001");

    [Fact]
    public async Task A_small_pool_makes_requests_wait_and_not_for_each_other()
    {
        var name = NewName();
        await using var server = await ShopServer.StartAsync(
            options => database.Use(options, database.Pool(2)),
            async (Shop shop) =>
            {
                await SaveAsync(shop, $"{name} {Guid.NewGuid()}");
                await Task.Delay(5);
                return "paid";
            });
        var told = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => server.SendAsync($"{i % 30}")));
        Assert.All(told, one => Assert.True(one.Status is 200 or 409, one.ToString()));
        Assert.Equal(30, await OrdersAsync(name));
    }

    [Fact]
    public Task What_a_constraint_refuses_at_the_commit_is_the_handlers_failure_and_a_retry_runs() => ConstraintRefusesCommitAsync();

    [Theory]
    [InlineData(IsolationLevel.RepeatableRead)]
    [InlineData(IsolationLevel.Serializable)]
    public async Task Handlers_that_count_one_row_up_count_every_answer_once(IsolationLevel isolation)
    {
        var name = NewName();
        await database.ExecuteAsync($"INSERT INTO \"Orders\" (\"Id\", \"Name\", \"Quantity\") VALUES (gen_random_uuid(), '{name}', 0)");
        await using var server = await StartAsync(
            async (Shop shop) =>
            {
                var order = await shop.Orders.SingleAsync(one => one.Name == name);
                order.Quantity++;
                await shop.SaveChangesAsync();
                return order.Quantity;
            },
            ShopServer.Same with { TransactionRetries = 10 },
            store: options => options.IsolationLevel = isolation);
        var told = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => server.SendAsync($"{i}")));
        var counted = told.Where(one => one.Status == 200).Select(one => one.Text).ToList();
        Assert.All(told, one => Assert.True(one.Status == 200 || one.Code == "idempotency-transaction-conflict"));
        Assert.Equal(counted.Count, counted.Distinct().Count());
        Assert.Equal(counted.Count, await database.CountAsync($"SELECT \"Quantity\" FROM \"Orders\" WHERE \"Name\" = '{name}'"));
    }

    [Theory]
    [InlineData(IsolationLevel.RepeatableRead, 0)]
    [InlineData(IsolationLevel.Serializable, 1)]
    public async Task A_step_in_a_transaction_with_a_snapshot_is_recalled_by_the_run_that_commits(IsolationLevel isolation, int retries)
    {
        var name = NewName();
        var (runs, charges) = (0, 0);
        await using var server = await StartAsync(
            async (IIdempotentRun run, Shop shop) =>
            {
                runs++;
                await SaveAsync(shop, name);
                return await run.StepAsync("charge", _ => Task.FromResult($"charge {++charges}"));
            },
            ShopServer.Same with { TransactionRetries = retries },
            store: options => options.IsolationLevel = isolation);
        if (retries == 0)
        {
            Assert.Equal("idempotency-transaction-conflict", (await server.SendAsync()).Code);
            Assert.Equal(0, await OrdersAsync(name));
        }

        Assert.Equal((200, false), (await server.SendAsync() is var told ? told.Status : 0, told.IsReplay));
        Assert.Equal((2, 1, 1), (runs, charges, await OrdersAsync(name)));
    }

    [Theory]
    [InlineData(false, 200)]
    [InlineData(true, 503)]
    public async Task A_commit_that_is_still_under_way_is_waited_for(bool fails, int status)
    {
        var name = NewName();
        await database.ExecuteAsync($"CREATE TABLE t{name} (id integer)");
        await database.ExecuteAsync($"CREATE FUNCTION f{name}() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE until timestamptz := clock_timestamp() + interval '5 s'; BEGIN WHILE clock_timestamp() < until LOOP BEGIN PERFORM pg_sleep(0.5); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; {(fails ? "RAISE EXCEPTION 'made up';" : "")} RETURN NULL; END $$");
        await database.ExecuteAsync($"CREATE CONSTRAINT TRIGGER g{name} AFTER INSERT ON t{name} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f{name}()");

        // The client gives up on the reply after three seconds, and asks the server to stop, which does not listen.
        var insert = $"INSERT INTO t{name} VALUES (1)";
        await using var server = await ShopServer.StartAsync(
            options => options.UseNpgsql($"{database.ConnectionString};Command Timeout=3;Cancellation Timeout=-1"),
            async (Shop shop) =>
            {
                await SaveAsync(shop, name);
                await shop.Database.ExecuteSqlRawAsync(insert);
                return "paid";
            });
        var told = await server.SendAsync();
        var orders = await OrdersAsync(name);
        Assert.Equal(told.Status == 200 ? 1 : 0, orders);
        Assert.True(told.Status == status || (told.Status == 503 && !fails), $"{told}"); // a server that is asked to stop twice may find a moment in which it listens
        Assert.Equal(1, server.Logs.Count("CommitFailed"));
    }

    [Fact]
    public async Task A_handler_that_goes_on_after_a_failed_statement_fails_and_leaves_nothing()
    {
        var name = NewName();
        var runs = 0;
        await using var server = await StartAsync(async (Shop shop) =>
        {
            await SaveAsync(shop, name);
            if (++runs == 1)
            {
                await Assert.ThrowsAnyAsync<Exception>(() => shop.Database.ExecuteSqlRawAsync("SELECT nonsense"));
            }

            return "paid";
        });
        Assert.Equal((500, 0), ((await server.SendAsync()).Status, await OrdersAsync(name)));
        Assert.Equal((200, 1), ((await server.SendAsync()).Status, await OrdersAsync(name)));
    }

    [Fact]
    public async Task A_database_that_goes_with_the_commit_and_stays_away_leaves_it_to_the_record()
    {
        var name = NewName();
        var faults = new CommitFaults();
        await using var server = await StartAsync(
            async (Shop shop) =>
            {
                await SaveAsync(shop, $"{name} {Guid.NewGuid()}");
                return "paid";
            },
            context: options => options.AddInterceptors(faults));
        faults.After = async _ =>
        {
            await database.AllowConnectionsAsync(false);
            throw new IOException("lost");
        };
        Assert.Equal("idempotency-store-unavailable", (await server.SendAsync()).Code);
        await database.AllowConnectionsAsync(true);
        faults.After = null;
        var retry = await server.SendAsync();
        Assert.Equal((200, true), (retry.Status, retry.IsReplay));
        Assert.Equal(1, await OrdersAsync(name));
    }
}
