using System.Net.Http.Headers;
using System.Text;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Hosting;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>A handler's writes and its answer, both or neither, as a client and the database see them.</summary>
public abstract class SameTransactionTests(TestDatabase database)
{
    /// <summary>A name of this test's own: its orders are told apart by it.</summary>
    private protected static string NewName() => $"{Guid.NewGuid():N}";

    private protected Task<long> OrdersAsync(string name) => database.CountAsync($"SELECT COUNT(*) FROM \"Orders\" WHERE \"Name\" LIKE '{name}%'");

    private protected Task<ShopServer> StartAsync(
        Delegate handler,
        IdempotencyPolicy? policy = null,
        Action<IServiceCollection>? services = null,
        Action<WebApplication>? outer = null,
        Action<WebApplication>? inner = null,
        Action<EntityFrameworkCoreIdempotencyStoreOptions>? store = null,
        Action<DbContextOptionsBuilder>? context = null) =>
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

    private protected static async Task SaveAsync(Shop shop, string name)
    {
        shop.Add(new Order { Name = name });
        await shop.SaveChangesAsync();
    }

    /// <summary>For the engines that can check a constraint at the commit.</summary>
    private protected async Task ConstraintRefusesCommitAsync()
    {
        var name = NewName();
        var runs = 0;
        await database.ExecuteAsync($"CREATE TABLE t{name} (id INTEGER PRIMARY KEY, other INTEGER REFERENCES t{name} (id) DEFERRABLE INITIALLY DEFERRED)");
        await using var server = await StartAsync(async (Shop shop) =>
        {
            runs++;
            await SaveAsync(shop, name);
            var insert = $"INSERT INTO t{name} (id, other) VALUES (1, {(runs == 1 ? 2 : 1)})";
            await shop.Database.ExecuteSqlRawAsync(insert);
            return "paid";
        });
        var first = await server.SendAsync();
        Assert.Equal((500, (string?)null), (first.Status, first.Code));
        Assert.Contains(server.Logs.Entries, entry => entry.Event == "ApplicationError");
        Assert.Equal(0, await OrdersAsync(name));
        Assert.Equal((200, 2), ((await server.SendAsync()).Status, runs));
        Assert.Equal(1, await OrdersAsync(name));
    }

    [Fact]
    public async Task Everything_a_handler_writes_is_there_when_its_answer_is_and_not_before()
    {
        var name = NewName();
        long before = -1;
        await using var server = await StartAsync(async (HttpContext context, Shop shop) =>
        {
            await SaveAsync(shop, name + "a");
            await shop.Database.ExecuteSqlRawAsync(database.Sql("INSERT INTO \"Orders\" (\"Id\", \"Name\", \"Quantity\") VALUES ({0}, {1}, 1)"), Guid.NewGuid(), name + "b");
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
        await database.RemoveAllRecordsAsync();
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
        Assert.Equal((201, "run 2", "2", "run=2; path=/"), (told.Status, told.Text, told.Headers["X-Run"], told.Headers["Set-Cookie"]));
        Assert.Equal(["upload value 0 0 200", "upload value 0 0 200"], seen);
        Assert.Equal((1, 1), (await OrdersAsync(name), await OrdersAsync(name + " 2")));
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

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_leaves_leaves_an_answer_or_nothing(bool completes)
    {
        var name = NewName();
        var gate = new Gate();
        var runs = 0;
        await using var server = await StartAsync(
            async (HttpContext context, Shop shop) =>
            {
                await SaveAsync(shop, name);
                if (++runs == 1)
                {
                    using var aborted = context.RequestAborted.Register(gate.Open);
                    await gate.PassAsync();
                    context.RequestAborted.ThrowIfCancellationRequested();
                }

                return "paid";
            },
            ShopServer.Same with { CompleteAfterDisconnect = completes });
        using var leaving = new CancellationTokenSource();
        var sent = server.SendAsync(cancellationToken: leaving.Token);
        await gate.ArrivedAsync();
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sent);
        if (completes)
        {
            gate.Open();
        }

        await Eventually.TrueAsync(async () => await server.SendAsync() is { Status: 200 } retry && (retry.IsReplay || !completes), "the answer");
        Assert.Equal(completes ? 1 : 2, runs);
        Assert.Equal(1, await OrdersAsync(name));
    }

    [Fact]
    public async Task Contexts_of_a_pool_come_back_as_new_whatever_became_of_a_run()
    {
        var name = NewName();
        var contexts = new HashSet<Shop>();
        await using var server = await StartAsync(
            async (HttpContext context, Shop shop) =>
            {
                contexts.Add(shop);
                Assert.Empty(shop.ChangeTracker.Entries());
                var path = context.Request.Query["how"].ToString();
                await SaveAsync(shop, $"{name} {path} {Guid.NewGuid()}");
                shop.Add(new Order { Name = name + " never saved" });
                return path switch
                {
                    "throw" => throw new InvalidOperationException("boom"),
                    "refuse" => Results.StatusCode(500),
                    _ => Results.Text("paid"),
                };
            },
            services: services => services.AddDbContextPool<Shop>(database.Use, poolSize: 4));
        foreach (var how in new[] { "pay", "throw", "pay", "refuse", "throw", "pay" })
        {
            Assert.Equal(how == "pay" ? 200 : 500, (await server.SendAsync($"{Guid.NewGuid()}", path: "/?how=" + how)).Status);
        }

        Assert.True(contexts.Count < 6);
        Assert.Equal((3, 3), (await OrdersAsync(name), await OrdersAsync(name + " pay")));
    }

    [Fact]
    public async Task Who_waits_for_a_run_gets_its_answer_and_who_asks_twice_runs_once()
    {
        var name = NewName();
        var gate = new Gate();
        await using var server = await StartAsync(
            async (Shop shop) =>
            {
                await SaveAsync(shop, name);
                await gate.PassAsync();
                return "paid";
            },
            ShopServer.Same with { WhenInProgress = InProgressBehavior.Wait },
            services: services =>
            {
                services.AddDataProtection().UseEphemeralDataProtectionProvider();
                services.AddIdempotency().ProtectResponses();
            },
            inner: app => app.UseIdempotency());
        var sent = Enumerable.Range(0, 4).Select(_ => server.SendAsync()).ToList();
        await gate.ArrivedAsync();
        Assert.Equal(422, (await server.SendAsync(content: new StringContent("other"))).Status); // told at once, also where the handler has the one writer
        gate.Open();
        var told = await Task.WhenAll(sent);
        Assert.All(told, one => Assert.Equal((200, "paid"), (one.Status, one.Text)));
        Assert.Single(told, one => !one.IsReplay);
        Assert.Equal(1, await OrdersAsync(name));
    }

    [Fact]
    public async Task A_function_commits_with_its_result_or_leaves_nothing()
    {
        var name = NewName();
        var runs = 0;
        var faults = new CommitFaults();
        await using var server = await StartAsync(
            async (HttpContext context, IIdempotentExecutor executor) =>
            {
                var how = context.Request.Query["how"].ToString();
                return await executor.ExecuteAsync(
                    "pay",
                    context.Request.Headers["Idempotency-Key"].ToString(),
                    async (_, cancellation) =>
                    {
                        runs++;
                        var shop = context.RequestServices.GetRequiredService<Shop>();
                        await SaveAsync(shop, $"{name} {runs}");
                        if (how == "commits")
                        {
                            await shop.Database.CurrentTransaction!.GetDbTransaction().CommitAsync(cancellation);
                        }

                        return how is "throws" or "commits" ? throw new NotSupportedException("boom") : runs;
                    },
                    new() { Services = context.RequestServices, PolicyName = "functions" });
            },
            new IdempotencyPolicy { KeyRequired = false, HeaderName = "No-Key" },
            services: services => services.Configure<IdempotencyOptions>(options => options.AddPolicy("functions", ShopServer.Same with { TransactionRetries = 1 })),
            context: options => options.AddInterceptors(faults));
        Assert.Equal(500, (await server.SendAsync("a", path: "/?how=throws")).Status);
        Assert.Equal(0, await OrdersAsync(name));
        Assert.Equal("2", (await server.SendAsync("a")).Text);
        Assert.Equal("2", (await server.SendAsync("a")).Text);
        Assert.Equal((1, 2), (await OrdersAsync(name), runs));
        faults.Before = _ => runs == 3 ? throw Conflict() : Task.CompletedTask;
        Assert.Equal("4", (await server.SendAsync("b")).Text);
        Assert.Equal((2, 0), (await OrdersAsync(name), await OrdersAsync(name + " 3")));
        faults.Before = null;
        Assert.Equal(500, (await server.SendAsync("c", path: "/?how=commits")).Status);
        Assert.Equal(500, (await server.SendAsync("c")).Status); // of an outcome that is not known
        Assert.Equal((3, 5), (await OrdersAsync(name), runs));
    }

    [Theory]
    [InlineData(IdempotencyTransaction.SameAsHandler)]
    [InlineData(IdempotencyTransaction.Separate)]
    public async Task A_call_within_a_handlers_transaction_ends_in_time(IdempotencyTransaction transaction)
    {
        var name = NewName();
        Exception? told = null;
        await using var server = await StartAsync(
            async (HttpContext context, IIdempotentExecutor executor, Shop shop) =>
            {
                await SaveAsync(shop, name);
                try
                {
                    return await executor.ExecuteAsync("ship", name, (_, _) => Task.FromResult("shipped"), new() { Services = context.RequestServices, PolicyName = "functions" });
                }
                catch (Exception exception)
                {
                    told = exception;
                    throw;
                }
            },
            services: services => services.Configure<IdempotencyOptions>(options => options.AddPolicy("functions", ShopServer.Same with { Transaction = transaction })),
            store: options => options.CommandTimeout = TimeSpan.FromSeconds(database.TakesOtherWriters ? 30 : 1)); // only where a call waits for the one writer, it ends with this
        var answer = await server.SendAsync();
        if (database.TakesOtherWriters && transaction == IdempotencyTransaction.Separate)
        {
            Assert.Equal((200, 1), (answer.Status, await OrdersAsync(name)));
            return;
        }

        Assert.Equal((500, 0), (answer.Status, await OrdersAsync(name)));
        Assert.Contains(database.TakesOtherWriters ? "is already active" : "one writer", $"{told!.Message} {told.InnerException?.Message}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_many_requests_on_two_servers_each_key_has_one_effect()
    {
        var name = NewName();
        var handler = async (HttpContext context, Shop shop) =>
        {
            await SaveAsync(shop, $"{name} {Guid.NewGuid()}");
            await Task.Yield();
            return context.Features.Get<IIdempotencyFeature>()!.Key;
        };
        await using var one = await StartAsync(handler, ShopServer.Same with { WhenInProgress = InProgressBehavior.Wait });
        await using var other = await StartAsync(handler);
        var told = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => (i % 2 == 0 ? one : other).SendAsync($"{i % 10}", keys: one.Keys)));
        Assert.All(told, answer => Assert.True(answer.Status is 200 or 409, $"{answer}"));
        Assert.Equal(10, told.Where(answer => answer is { Status: 200, IsReplay: false }).Select(answer => answer.Text).Distinct().Count());
        Assert.Equal(10, await OrdersAsync(name));
    }

    [Fact]
    public async Task Effects_outside_that_have_begun_are_not_had_again_when_the_transaction_is_undone()
    {
        var name = NewName();
        var runs = 0;
        await using var server = await StartAsync(
            async (HttpContext context, Shop shop) =>
            {
                runs++;
                await SaveAsync(shop, name);
                await context.Features.Get<IIdempotencyFeature>()!.MarkEffectsStartedAsync();
                throw Conflict();
            },
            ShopServer.Same with { TransactionRetries = 2 });
        var first = await server.SendAsync();
        Assert.Equal(database.TakesOtherWriters ? (409, "idempotency-outcome-unknown") : (500, null), (first.Status, first.Code)); // where there is one writer it cannot be told, and says so
        Assert.Equal(database.TakesOtherWriters ? 409 : 500, (await server.SendAsync()).Status);
        Assert.Equal((database.TakesOtherWriters ? 1 : 2, 0), (runs, await OrdersAsync(name)));
    }

    [Theory]
    [InlineData(IdempotencyTransaction.Separate)]
    [InlineData(IdempotencyTransaction.SameAsHandler)]
    public async Task A_recorded_step_outlasts_the_rollback_of_its_handler_and_does_not_run_again(IdempotencyTransaction transaction)
    {
        var name = NewName();
        var (runs, charges) = (0, 0);
        await using var server = await StartAsync(
            async (IIdempotentRun run, Shop shop) =>
            {
                await SaveAsync(shop, $"{name} {++runs}");
                var charge = await run.StepAsync("charge", _ => Task.FromResult($"charge {++charges}"));
                return runs > 2 ? Results.Text(charge) : throw new InvalidOperationException("after the charge");
            },
            ShopServer.Same with { Transaction = transaction });
        var isRefused = transaction == IdempotencyTransaction.SameAsHandler && !database.TakesOtherWriters;
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            Assert.Equal(500, (await server.SendAsync()).Status);
            Assert.Equal(isRefused ? 0 : 1, charges); // where there is one writer the step cannot be recorded, so it does not run
            Assert.Equal(transaction == IdempotencyTransaction.SameAsHandler ? 0 : attempt, await OrdersAsync(name));
        }

        var last = await server.SendAsync();
        if (isRefused)
        {
            Assert.Equal((500, 0, 0), (last.Status, charges, await OrdersAsync(name)));
            return;
        }

        Assert.Equal((200, "charge 1", false), (last.Status, last.Text, last.IsReplay));
        Assert.Equal((3, 1), (runs, charges));
        Assert.Equal(transaction == IdempotencyTransaction.SameAsHandler ? 1 : 3, await OrdersAsync(name));
        Assert.True((await server.SendAsync()).IsReplay);
    }

    [Fact]
    public async Task Work_that_disposes_of_its_own_scope_touches_nobody_elses_context()
    {
        var name = NewName();
        await using var server = await StartAsync(
            async (HttpContext context, IIdempotentExecutor executor) =>
            {
                var own = context.RequestServices.CreateAsyncScope();
                AsyncServiceScope? others = null;
                try
                {
                    return await executor.ExecuteAsync(
                        "pay",
                        name,
                        async (_, _) =>
                        {
                            await SaveAsync(own.ServiceProvider.GetRequiredService<Shop>(), name + " mine");
                            await own.DisposeAsync();
                            others = context.RequestServices.CreateAsyncScope();
                            others.Value.ServiceProvider.GetRequiredService<Shop>().Add(new Order { Name = name + " another" });
                            return 1;
                        },
                        new() { Services = own.ServiceProvider, PolicyName = "functions" });
                }
                catch (InvalidOperationException told) when (told.Message.Contains("ended its transaction", StringComparison.Ordinal))
                {
                    return await others!.Value.ServiceProvider.GetRequiredService<Shop>().SaveChangesAsync();
                }
                finally
                {
                    await others!.Value.DisposeAsync();
                }
            },
            new IdempotencyPolicy { KeyRequired = false, HeaderName = "No-Key" },
            services: services =>
            {
                services.AddDbContextPool<Shop>(database.Use, poolSize: 1);
                services.Configure<IdempotencyOptions>(options => options.AddPolicy("functions", ShopServer.Same));
            });
        Assert.Equal((200, "1"), (await server.SendAsync() is var told ? told.Status : 0, told.Text));
        Assert.Equal((1, 1), (await OrdersAsync(name), await OrdersAsync(name + " another")));
    }

    [Fact]
    public async Task A_batch_in_one_scope_commits_item_by_item()
    {
        var name = NewName();
        await using var server = await StartAsync(
            async (HttpContext context, IIdempotentExecutor executor) =>
            {
                var shop = context.RequestServices.GetRequiredService<Shop>();
                var results = await executor.ExecuteBatchAsync(
                    "pay",
                    new[] { "a", "b", "c" },
                    item => name + item,
                    async (item, _, _) =>
                    {
                        await SaveAsync(shop, $"{name} {item}");
                        return item == "b" ? throw new NotSupportedException("boom") : item;
                    },
                    new() { ForItem = _ => new() { Services = context.RequestServices, PolicyName = "functions" } });
                return results.Count(result => result.Exception is null);
            },
            new IdempotencyPolicy { KeyRequired = false, HeaderName = "No-Key" },
            services: services => services.Configure<IdempotencyOptions>(options => options.AddPolicy("functions", ShopServer.Same)));
        Assert.Equal("2", (await server.SendAsync()).Text);
        Assert.Equal("2", (await server.SendAsync()).Text);
        Assert.Equal((2, 0), (await OrdersAsync(name), await OrdersAsync(name + " b")));
    }

    /// <summary>What the database says when it has undone a transaction in favour of another.</summary>
    private protected abstract Exception Conflict();
}
