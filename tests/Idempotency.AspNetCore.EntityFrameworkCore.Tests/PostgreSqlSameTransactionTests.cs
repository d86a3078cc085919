using System.Data;
using Microsoft.AspNetCore.Http;
using Npgsql;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>Others write meanwhile, transactions come in each other's way, and the connection to the server goes.</summary>
public sealed class PostgreSqlSameTransactionTests(PostgreSqlDatabase database) : SameTransactionTests(database), IClassFixture<PostgreSqlDatabase>
{
    private protected override Exception Conflict() => new PostgresException("made up", "ERROR", "ERROR", "40001");

    private static async Task<int> BackendAsync(Shop shop) => (await shop.Database.SqlQueryRaw<int>("SELECT pg_backend_pid() AS \"Value\"").ToListAsync())[0];

    private async Task KillAsync(int backend)
    {
        await database.ExecuteAsync($"SELECT pg_terminate_backend({backend})");
        await Eventually.TrueAsync(async () => await database.CountAsync($"SELECT COUNT(*) FROM pg_stat_activity WHERE pid = {backend}") == 0, "gone");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Of_two_handlers_in_a_deadlock_one_is_done_again_or_told_that_nothing_was_done(int retries)
    {
        var name = NewName();
        await database.ExecuteAsync($"INSERT INTO \"Orders\" (\"Id\", \"Name\", \"Quantity\") VALUES (gen_random_uuid(), '{name}a', 0), (gen_random_uuid(), '{name}b', 0)");
        var gate = new Gate();
        var arrived = 0;
        await using var server = await StartAsync(
            async (HttpContext context, Shop shop) =>
            {
                var (mine, other) = context.Request.Query["first"] == "a" ? ("a", "b") : ("b", "a");
                await AddAsync(mine);
                if (Interlocked.Increment(ref arrived) == 2)
                {
                    gate.Open();
                }

                await gate.PassAsync();
                await AddAsync(other);
                return "paid";

                async Task AddAsync(string which)
                {
                    (await shop.Orders.FromSql($"SELECT * FROM \"Orders\" WHERE \"Name\" = {name + which} FOR UPDATE").SingleAsync()).Quantity++;
                    await shop.SaveChangesAsync();
                }
            },
            ShopServer.Same with { TransactionRetries = retries });
        var told = await Task.WhenAll(server.SendAsync("a", path: "/?first=a"), server.SendAsync("b", path: "/?first=b"));
        if (retries == 0)
        {
            Assert.Equal([200, 503], told.Select(one => one.Status).Order());
            Assert.Equal("idempotency-transaction-conflict", told.Single(one => one.Status == 503).Code);
        }
        else
        {
            Assert.All(told, one => Assert.Equal(200, one.Status));
        }

        Assert.Equal(told.Count(one => one.Status == 200) * 2, await database.CountAsync($"SELECT SUM(\"Quantity\") FROM \"Orders\" WHERE \"Name\" LIKE '{name}%'"));
        Assert.Equal(200, (await server.SendAsync("a", path: "/?first=a")).Status);
        Assert.Equal(200, (await server.SendAsync("b", path: "/?first=b")).Status);
        Assert.Equal(4, await database.CountAsync($"SELECT SUM(\"Quantity\") FROM \"Orders\" WHERE \"Name\" LIKE '{name}%'"));
    }

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
    [InlineData("lets it out", 500)]
    [InlineData("tries again", 500)]
    [InlineData("answers", 500)]
    [InlineData("does not notice", 503)]
    public async Task A_connection_that_goes_in_the_handler_takes_everything_with_it_and_a_retry_runs(string how, int status)
    {
        var name = NewName();
        var runs = 0;
        await using var server = await StartAsync(async (Shop shop) =>
        {
            await SaveAsync(shop, $"{name} before");
            if (++runs == 1)
            {
                await KillAsync(await BackendAsync(shop));
            }

            for (var tries = 1; how != "does not notice"; tries++)
            {
                try
                {
                    await SaveAsync(shop, $"{name} after {tries}");
                    break;
                }
                catch (Exception) when (how == "tries again" && tries < 3)
                {
                }
                catch (Exception) when (how == "answers")
                {
                    break;
                }
            }

            return "paid";
        });
        Assert.Equal(status, (await server.SendAsync()).Status);
        Assert.Equal(0, await OrdersAsync(name));
        Assert.Equal((200, false), (await server.SendAsync() is var retry ? retry.Status : 0, retry.IsReplay));
        Assert.Equal(how == "does not notice" ? 1 : 2, await OrdersAsync(name));
    }

    [Fact]
    public async Task A_connection_that_goes_at_the_commit_is_told_by_the_record()
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
        faults.Before = async transaction => await KillAsync(((NpgsqlConnection)transaction.Connection!).ProcessID);
        Assert.Equal("idempotency-store-unavailable", (await server.SendAsync()).Code);
        Assert.Equal(0, await OrdersAsync(name));
        faults.Before = null;
        Assert.Equal((200, false), (await server.SendAsync() is var retry ? retry.Status : 0, retry.IsReplay));
        Assert.Equal(1, await OrdersAsync(name));
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
    public async Task A_run_whose_claim_was_taken_over_leaves_nothing_and_tells_the_others_answer()
    {
        var name = NewName();
        var gate = new Gate();
        var runs = 0;
        await using var server = await StartAsync(
            async (Shop shop) =>
            {
                var run = Interlocked.Increment(ref runs);
                await SaveAsync(shop, $"{name} {run}");
                if (run == 1)
                {
                    await gate.PassAsync();
                }

                return $"run {run}";
            },
            ShopServer.Same with { ClaimDuration = TimeSpan.FromMinutes(10) });
        var late = server.SendAsync();
        await gate.ArrivedAsync();
        await database.PassAsync(TimeSpan.FromMinutes(11));
        Assert.Equal("run 2", (await server.SendAsync()).Text);
        gate.Open();
        var told = await late;
        Assert.Equal(("run 2", true), (told.Text, told.IsReplay));
        Assert.Equal((1, 0), (await OrdersAsync(name), await OrdersAsync(name + " 1")));
    }

    [Fact]
    public async Task A_small_pool_makes_requests_wait_and_not_for_each_other()
    {
        var name = NewName();
        await using var server = await ShopServer.StartAsync(
            options => options.UseNpgsql($"{database.ConnectionString};Maximum Pool Size=2"),
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

    [Fact]
    public async Task No_connection_is_kept_however_a_run_ends()
    {
        var name = NewName();
        await using var server = await ShopServer.StartAsync(
            options => options.UseNpgsql($"{database.ConnectionString};Maximum Pool Size=2;Timeout=5"),
            async (HttpContext context, Shop shop) =>
            {
                await SaveAsync(shop, $"{name} {Guid.NewGuid()}");
                switch (context.Request.Query["how"])
                {
                    case "throws":
                        throw new NotSupportedException("boom");
                    case "refuses":
                        return Results.StatusCode(500);
                    case "conflicts":
                        throw Conflict();
                    case "disposes":
                        await shop.Database.CurrentTransaction!.DisposeAsync();
                        break;
                    case "puts aside":
                        await shop.Database.UseTransactionAsync(null);
                        break;
                    case "opens":
                        await shop.Database.OpenConnectionAsync();
                        throw new NotSupportedException("boom");
                    case "is killed":
                        await KillAsync(await BackendAsync(shop));
                        break;
                }

                return Results.Text("paid");
            },
            ShopServer.Same with { TransactionRetries = 1 });
        foreach (var how in new[] { "throws", "refuses", "conflicts", "disposes", "puts aside", "opens", "is killed" })
        {
            for (var i = 0; i < 3; i++)
            {
                Assert.True((await server.SendAsync($"{how} {i}", path: "/?how=" + how)).Status >= 500);
            }
        }

        Assert.Equal(0, await OrdersAsync(name));
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 10).Select(i => server.SendAsync($"{i}"))), told => Assert.Equal(200, told.Status));
        Assert.Equal(10, await OrdersAsync(name));
    }

    [Fact]
    public async Task A_handler_that_outlives_its_lease_has_it_renewed_beside_its_transaction()
    {
        var name = NewName();
        var runs = 0;
        await using var server = await StartAsync(
            async (HttpContext context, Shop shop) =>
            {
                runs++;
                await SaveAsync(shop, name);
                var first = await LeaseAsync();
                await Eventually.TrueAsync(async () => await LeaseAsync() > first + 1000, "a second lease");
                return "paid";
            },
            ShopServer.Same with { ClaimDuration = TimeSpan.FromSeconds(1) });
        Assert.Equal((200, "paid", false), (await server.SendAsync() is var told ? told.Status : 0, told.Text, told.IsReplay));
        Assert.Equal((1, 1), (await OrdersAsync(name), runs));

        Task<long> LeaseAsync() => database.CountAsync("SELECT MAX(\"LeaseUntil\") FROM \"IdempotencyRecords\" WHERE \"Status\" = 0");
    }
}
