using System.Net.Http.Headers;
using System.Text;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Hosting;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>A handler's writes and its answer, both or neither, as a client and the database see them.</summary>
public abstract class SameTransactionTests(TestDatabase database)
{
    /// <summary>A name of this test's own: its orders are told apart by it.</summary>
    private static string NewName() => $"{Guid.NewGuid():N}";

    private Task<long> OrdersAsync(string name) => database.CountAsync($"SELECT COUNT(*) FROM \"Orders\" WHERE \"Name\" LIKE '{name}%'");

    private Task<ShopServer> StartAsync(Delegate handler, IdempotencyPolicy? policy = null, Action<IServiceCollection>? services = null, Action<WebApplication>? outer = null, Action<WebApplication>? inner = null, Action<EntityFrameworkCoreIdempotencyStoreOptions>? store = null, Action<DbContextOptionsBuilder>? context = null) =>
        ShopServer.StartAsync(
            options =>
            {
                database.Use(options);
                context?.Invoke(options);
            },
            handler,
            policy,
            services,
            outer,
            inner,
            store);

    private static async Task SaveAsync(Shop shop, string name)
    {
        shop.Add(new Order { Name = name });
        await shop.SaveChangesAsync();
    }

    [Fact]
    public async Task Everything_a_handler_writes_is_there_when_its_answer_is_and_not_before()
    {
        var name = NewName();
        long before = -1;
        await using var server = await StartAsync(async (HttpContext context, Shop shop) =>
        {
            await SaveAsync(shop, name + "a");
            await shop.Database.ExecuteSqlAsync($"INSERT INTO \"Orders\" (\"Id\", \"Name\", \"Quantity\") VALUES ({Guid.NewGuid()}, {name + "b"}, 1)");
            await shop.Database.CurrentTransaction!.CreateSavepointAsync("here");
            await SaveAsync(shop, name + "gone");
            await shop.Database.CurrentTransaction!.RollbackToSavepointAsync("here");
            shop.ChangeTracker.Clear();
            await context.Response.WriteAsync(new string('x', 2_000_000)); // over what is kept, and flushed
            await context.Response.Body.FlushAsync();
            before = await OrdersAsync(name);
            await SaveAsync(shop, name + "c");
        });
        var first = await server.SendAsync();
        Assert.Equal((200, 2_000_000, 0), (first.Status, first.Text.Length, before));
        Assert.Equal(3, await OrdersAsync(name));
        Assert.Equal("idempotency-response-unavailable", (await server.SendAsync()).Code);
    }

    [Theory]
    [InlineData("throws")]
    [InlineData("answers 500")]
    [InlineData("answers 409")]
    [InlineData("cuts the connection")]
    public async Task A_run_that_comes_to_nothing_leaves_nothing_and_a_retry_runs(string how)
    {
        var name = NewName();
        var runs = 0;
        await using var server = await StartAsync(
            async (HttpContext context, Shop shop) =>
            {
                await SaveAsync(shop, name);
                if (++runs > 1)
                {
                    return Results.Text("paid");
                }

                switch (how)
                {
                    case "throws":
                        throw new InvalidOperationException("boom");
                    case "cuts the connection":
                        context.Abort();
                        return Results.Empty;
                    default:
                        return Results.StatusCode(how == "answers 500" ? 500 : 409);
                }
            },
            outer: app => app.UseExceptionHandler(error => error.Run(async context =>
            {
                await SaveAsync(context.RequestServices.GetRequiredService<Shop>(), "failure of " + name); // the context is good for this
                await context.Response.WriteAsync("sorry");
            })));
        if (how == "cuts the connection")
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => server.SendAsync());
            await Eventually.TrueAsync(async () => await OrdersAsync(name) == 0 && await IsFreeAsync(), "released");
        }
        else
        {
            Assert.Equal(how == "answers 409" ? 409 : 500, (await server.SendAsync()).Status);
        }

        Assert.Equal(0, await OrdersAsync(name));
        Assert.Equal(how == "throws" ? 1 : 0, await OrdersAsync("failure of " + name));
        Assert.Equal((200, false), (await server.SendAsync() is var retry ? retry.Status : 0, retry.IsReplay));
        Assert.Equal((1, 2), (await OrdersAsync(name), runs));

        async Task<bool> IsFreeAsync() => await database.CountAsync("SELECT COUNT(*) FROM \"IdempotencyRecords\" WHERE \"Status\" = 0") == 0;
    }

    /// <summary>Whatever a handler does to its transaction against the rules: no effect is there twice, and none whose run may come again.</summary>
    [Theory]
    [InlineData("begins one")]
    [InlineData("commits")]
    [InlineData("rolls back")]
    [InlineData("disposes of it")]
    [InlineData("puts it aside")]
    [InlineData("commits past EF Core")]
    [InlineData("rolls back past EF Core")]
    [InlineData("commits in SQL")]
    [InlineData("rolls back in SQL")]
    [InlineData("closes the connection")]
    [InlineData("closes EF Core's connection")]
    [InlineData("has a scope")]
    public async Task A_handler_that_meddles_with_its_transaction_never_has_an_effect_twice(string how)
    {
        foreach (var end in new[] { "answers", "throws", "swallows", "swallows and throws" })
        {
            var name = NewName();
            var runs = 0;
            await using var server = await StartAsync(async (Shop shop) =>
            {
                runs++;
                await SaveAsync(shop, $"{name} {runs} before");
                var facade = shop.Database;
                try
                {
                    switch (how)
                    {
                        case "begins one":
                            await using (var own = await facade.BeginTransactionAsync())
                            {
                                await SaveAsync(shop, $"{name} {runs} within");
                                await own.CommitAsync();
                            }

                            break;
                        case "commits":
                            await facade.CommitTransactionAsync();
                            break;
                        case "rolls back":
                            await facade.RollbackTransactionAsync();
                            break;
                        case "disposes of it":
                            await facade.CurrentTransaction!.DisposeAsync();
                            break;
                        case "puts it aside":
                            await facade.UseTransactionAsync(null);
                            break;
                        case "commits past EF Core":
                            await facade.CurrentTransaction!.GetDbTransaction().CommitAsync();
                            break;
                        case "rolls back past EF Core":
                            await facade.CurrentTransaction!.GetDbTransaction().RollbackAsync();
                            break;
                        case "commits in SQL":
                            await facade.ExecuteSqlRawAsync("COMMIT");
                            break;
                        case "rolls back in SQL":
                            await facade.ExecuteSqlRawAsync("ROLLBACK");
                            break;
                        case "closes the connection":
                            await facade.GetDbConnection().CloseAsync();
                            break;
                        case "closes EF Core's connection":
                            await facade.CloseConnectionAsync();
                            break;
                        default:
                            using (var scope = new System.Transactions.TransactionScope(System.Transactions.TransactionScopeAsyncFlowOption.Enabled))
                            {
                                await SaveAsync(shop, $"{name} {runs} within");
                                scope.Complete();
                            }

                            break;
                    }
                }
                catch (Exception) when (end.StartsWith("swallows", StringComparison.Ordinal))
                {
                }

                try
                {
                    await SaveAsync(shop, $"{name} {runs} after");
                }
                catch (Exception) when (end.StartsWith("swallows", StringComparison.Ordinal))
                {
                }

                return end.EndsWith("throws", StringComparison.Ordinal) ? throw new NotSupportedException("boom") : runs;
            });
            var first = await server.SendAsync();
            var (afterFirst, runsOfFirst) = (await OrdersAsync(name), runs);
            var retry = await server.SendAsync();
            TestContext.Current.TestOutputHelper!.WriteLine($"{how}, {end}: {first.Status} {first.Code} left {afterFirst}; retry {retry.Status} {retry.Code} replay {retry.IsReplay} left {await OrdersAsync(name)}, runs {runs}");
            var told = first.Status == 200;
            Assert.Equal(1, runsOfFirst);
            Assert.Equal(told, retry.IsReplay);
            if (afterFirst > 0)
            {
                Assert.True(runs == 1, $"{how}, {end}: effects of the first run are there, and it was run again");
            }
        }
    }

    [Fact]
    public async Task A_commit_whose_reply_is_lost_is_told_as_what_it_is()
    {
        var name = NewName();
        var faults = new CommitFaults();
        await using var server = await StartAsync(async (Shop shop) => { await SaveAsync(shop, $"{name} {Guid.NewGuid()}"); return "paid"; }, context: options => options.AddInterceptors(faults));
        faults.After = _ => throw new IOException("lost");
        var first = await server.SendAsync();
        Assert.Equal((200, "paid"), (first.Status, first.Text));
        faults.After = null;
        Assert.True((await server.SendAsync()).IsReplay);
        faults.Before = _ => throw new IOException("lost");
        Assert.Equal("idempotency-store-unavailable", (await server.SendAsync("key-2")).Code);
        Assert.Equal(1, await OrdersAsync(name));
        faults.Before = null;
        Assert.Equal((200, false), (await server.SendAsync("key-2") is var retry ? retry.Status : 0, retry.IsReplay));
        Assert.Equal(2, await OrdersAsync(name));
    }

    [Fact]
    public async Task A_run_after_a_conflict_finds_the_request_and_the_response_as_the_first_found_them()
    {
        var name = NewName();
        var runs = 0;
        var seen = new List<string>();
        var faults = new CommitFaults();
        faults.Before = _ => runs == 1 ? throw Conflict() : Task.CompletedTask;
        await using var server = await StartAsync(
            async (HttpContext context, Shop shop) =>
            {
                runs++;
                var form = await context.Request.ReadFormAsync();
                using var reader = new StreamReader(form.Files[0].OpenReadStream());
                seen.Add($"{await reader.ReadToEndAsync()} {context.Request.Form["field"]} {shop.ChangeTracker.Entries().Count()} {context.Response.Headers.Count} {context.Response.StatusCode}");
                context.Response.OnStarting(() =>
                {
                    context.Response.Headers["X-Run"] = $"{runs}";
                    return Task.CompletedTask;
                });
                context.Response.Cookies.Append("run", $"{runs}");
                await SaveAsync(shop, $"{name} {runs}");
                return Results.Text($"run {runs}", statusCode: 201);
            },
            ShopServer.Same with { TransactionRetries = 1 },
            context: options => options.AddInterceptors(faults));
        using var form = new MultipartFormDataContent { { new StringContent("value"), "field" }, { new ByteArrayContent("upload"u8.ToArray()), "file", "file.txt" } };
        var told = await server.SendAsync(content: form);
        TestContext.Current.TestOutputHelper!.WriteLine(told.ToString() + string.Join('\n', seen));
    }

    [Fact]
    public async Task A_body_that_the_first_run_has_closed_is_there_for_the_second()
    {
        var name = NewName();
        var bodies = new List<string>();
        var faults = new CommitFaults { Before = _ => bodies.Count == 1 ? throw Conflict() : Task.CompletedTask };
        await using var server = await StartAsync(
            async (HttpContext context, Shop shop) =>
            {
                using (var reader = new StreamReader(context.Request.Body))
                {
                    bodies.Add(await reader.ReadToEndAsync());
                }

                await SaveAsync(shop, name);
                return "paid";
            },
            ShopServer.Same with { TransactionRetries = 1 },
            outer: app => app.Use((context, next) =>
            {
                context.Request.EnableBuffering();
                return next(context);
            }),
            context: options => options.AddInterceptors(faults));
        Assert.Equal((200, "paid"), (await server.SendAsync() is var told ? told.Status : 0, told.Text));
        Assert.Equal(["{}", "{}"], bodies);
        Assert.Equal(1, await OrdersAsync(name));
    }

    /// <summary>What the database says when it has undone a transaction in favour of another.</summary>
    private protected abstract Exception Conflict();
}

public sealed class SqliteSameTransactionTests(SqliteDatabase database) : SameTransactionTests(database), IClassFixture<SqliteDatabase>
{
    private protected override Exception Conflict() => new Microsoft.Data.Sqlite.SqliteException("made up", 5);
}

public sealed class PostgreSqlSameTransactionTests(PostgreSqlDatabase database) : SameTransactionTests(database), IClassFixture<PostgreSqlDatabase>
{
    private protected override Exception Conflict() => new Npgsql.PostgresException("made up", "ERROR", "ERROR", "40001");
}
