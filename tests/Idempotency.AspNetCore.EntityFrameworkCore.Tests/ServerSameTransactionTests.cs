using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>On a server: others write meanwhile, transactions come in each other's way, and connections are lost.</summary>
public abstract class ServerSameTransactionTests(ServerDatabase database) : SameTransactionTests(database)
{
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Of_two_handlers_in_a_deadlock_one_is_done_again_or_told_that_nothing_was_done(int retries)
    {
        var name = NewName();
        await database.ExecuteAsync($"INSERT INTO \"Orders\" (\"Id\", \"Name\", \"Quantity\") VALUES ('{Guid.NewGuid()}', '{name}a', 0), ('{Guid.NewGuid()}', '{name}b', 0)");
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
                    (await shop.Orders.FromSqlRaw(database.Sql(database.SelectAndLock), name + which).SingleAsync()).Quantity++;
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
                await database.KillAsync(shop.Database.GetDbConnection());
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
        faults.Before = async transaction => await database.KillAsync(transaction.Connection!);
        Assert.Equal("idempotency-store-unavailable", (await server.SendAsync()).Code);
        Assert.Equal(0, await OrdersAsync(name));
        faults.Before = null;
        Assert.Equal((200, false), (await server.SendAsync() is var retry ? retry.Status : 0, retry.IsReplay));
        Assert.Equal(1, await OrdersAsync(name));
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
    public async Task No_connection_is_kept_however_a_run_ends()
    {
        var name = NewName();
        await using var server = await ShopServer.StartAsync(
            options => database.Use(options, database.Pool(2)),
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
                        await database.KillAsync(shop.Database.GetDbConnection());
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
        await database.RemoveAllRecordsAsync();
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
