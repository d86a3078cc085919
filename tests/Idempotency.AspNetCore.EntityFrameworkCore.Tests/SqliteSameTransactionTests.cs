using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>There is one writer, and a handler in a transaction is it.</summary>
public sealed class SqliteSameTransactionTests(SqliteDatabase database) : SameTransactionTests(database), IClassFixture<SqliteDatabase>
{
    private protected override Exception Conflict() => new SqliteException("made up", 5);

    [Fact]
    public Task What_a_constraint_refuses_at_the_commit_is_the_handlers_failure_and_a_retry_runs() => ConstraintRefusesCommitAsync();

    [Fact]
    public async Task A_handler_that_writes_with_a_second_context_waits_for_itself_as_long_as_its_provider_does_and_leaves_nothing()
    {
        var name = NewName();
        var runs = 0;
        await using var server = await ShopServer.StartAsync(
            options => options.UseSqlite(database.ConnectionString + ";Default Timeout=1"),
            async (IServiceScopeFactory scopes, Shop shop) =>
            {
                await SaveAsync(shop, name + " first");
                if (++runs == 1)
                {
                    await using var scope = scopes.CreateAsyncScope();
                    await SaveAsync(scope.ServiceProvider.GetRequiredService<Shop>(), name + " second");
                }

                return "paid";
            });
        var told = await server.SendAsync();
        Assert.Equal("idempotency-transaction-conflict", told.Code);
        Assert.Equal((0, 1), (await OrdersAsync(name), runs));
        Assert.Equal((200, 1), ((await server.SendAsync()).Status, await OrdersAsync(name)));
    }

    [Fact]
    public async Task While_a_handler_has_the_writer_others_are_told_what_is_known_and_the_rest_waits_or_is_told_to_come_again()
    {
        var name = NewName();
        var gate = new Gate();
        var runs = 0;
        await using var server = await StartAsync(
            async (HttpContext context, Shop shop) =>
            {
                Interlocked.Increment(ref runs);
                await SaveAsync(shop, $"{name} {Guid.NewGuid()}");
                if (context.Request.Query["slow"].Count > 0)
                {
                    await gate.PassAsync();
                }

                return "paid";
            },
            ShopServer.Same with { ClaimDuration = TimeSpan.FromSeconds(5) },
            store: options => options.CommandTimeout = TimeSpan.FromSeconds(2));
        Assert.Equal(200, (await server.SendAsync("done")).Status);
        var slow = server.SendAsync("slow", path: "/?slow");
        await gate.ArrivedAsync();
        Assert.True((await server.SendAsync("done")).IsReplay);
        Assert.Equal("idempotency-request-in-progress", (await server.SendAsync("slow", path: "/?slow")).Code);
        var told = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => server.SendAsync($"{i}")));
        Assert.All(told, one => Assert.Equal("idempotency-store-unavailable", one.Code)); // after two seconds
        await Eventually.GetAsync(() => server.SendAsync("slow", path: "/?slow"), one => one.Code == "idempotency-store-unavailable"); // the slow one's lease is over, which nobody can make use of
        gate.Open();
        Assert.Equal((200, "paid", false), (await slow is var last ? last.Status : 0, last.Text, last.IsReplay));
        Assert.Equal((2, 2), (await OrdersAsync(name), runs));
        for (var i = 0; i < 10; i++) // one after the other: then none has to wait for the writer, however slow the machine is
        {
            var retried = await server.SendAsync($"{i}");
            Assert.Equal((200, false), (retried.Status, retried.IsReplay));
        }

        Assert.Equal(12, await OrdersAsync(name));
    }

    [Theory]
    [InlineData(System.Data.IsolationLevel.ReadCommitted)]
    [InlineData(System.Data.IsolationLevel.RepeatableRead)]
    [InlineData(System.Data.IsolationLevel.Snapshot)]
    [InlineData(System.Data.IsolationLevel.Serializable)]
    public async Task Whatever_isolation_is_asked_for_it_is_serializable(System.Data.IsolationLevel isolation)
    {
        var name = NewName();
        await using var server = await StartAsync(
            async (Shop shop) =>
            {
                await SaveAsync(shop, name);
                return "paid";
            },
            store: options => options.IsolationLevel = isolation);
        Assert.Equal((200, 1), ((await server.SendAsync()).Status, await OrdersAsync(name)));
    }
}
