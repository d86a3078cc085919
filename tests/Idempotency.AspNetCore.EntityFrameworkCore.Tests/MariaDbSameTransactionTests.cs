using System.Reflection;
using MySql.Data.MySqlClient;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>The same transaction on MariaDB, whose client does not notice when a transaction is over.</summary>
public sealed class MariaDbSameTransactionTests(MariaDbDatabase database) : ServerSameTransactionTests(database), IClassFixture<MariaDbDatabase>
{
    // The client's constructors are its own.
    private protected override Exception Conflict() =>
        (Exception)Activator.CreateInstance(typeof(MySqlException), BindingFlags.NonPublic | BindingFlags.Instance, null, ["made up", (int)MySqlErrorCode.LockDeadlock], null)!;

    [Theory]
    [InlineData("tries again")]
    [InlineData("answers")]
    public async Task A_handler_that_goes_on_after_a_deadlock_writes_nothing_and_a_retry_runs(string how)
    {
        var name = NewName();
        await database.ExecuteAsync($"INSERT INTO \"Orders\" (\"Id\", \"Name\", \"Quantity\") VALUES ('{Guid.NewGuid()}', '{name}a', 0), ('{Guid.NewGuid()}', '{name}b', 0)");
        var runs = 0;
        await using var server = await StartAsync(async (Shop shop) =>
        {
            await SaveAsync(shop, $"{name} before");
            if (++runs == 1)
            {
                try
                {
                    await LoseADeadlockAsync(shop);
                    Assert.Fail("The handler was not the victim.");
                }
                catch (InvalidOperationException deadlock) when (deadlock.InnerException is DbUpdateException or MySqlException)
                {
                }
                catch (MySqlException)
                {
                }

                if (how == "tries again")
                {
                    await SaveAsync(shop, $"{name} after");
                }
            }

            return "paid";
        });
        Assert.Equal(500, (await server.SendAsync()).Status);
        Assert.Equal(2, await OrdersAsync(name));
        Assert.Equal((200, false), (await server.SendAsync() is var retry ? retry.Status : 0, retry.IsReplay));
        Assert.Equal((3, 2), (await OrdersAsync(name), runs));

        // The other has changed more rows, so this one is undone.
        async Task LoseADeadlockAsync(Shop shop)
        {
            await using var other = new MySqlConnection(database.ConnectionString);
            await other.OpenAsync();
            await using var transaction = await other.BeginTransactionAsync();
            await RunAsync($"UPDATE `Orders` SET `Quantity` = 1 WHERE `Name` = '{name}b'");
            await RunAsync($"INSERT INTO `Orders` (`Id`, `Name`, `Quantity`) VALUES {string.Join(", ", Enumerable.Range(0, 100).Select(i => $"('{Guid.NewGuid()}', 'weight {Guid.NewGuid()}', 1)"))}");
            await shop.Orders.FromSqlRaw("SELECT * FROM `Orders` WHERE `Name` = {0} FOR UPDATE", name + "a").SingleAsync();
            var waiting = RunAsync($"UPDATE `Orders` SET `Quantity` = 1 WHERE `Name` = '{name}a'");
            try
            {
                await shop.Orders.FromSqlRaw("SELECT * FROM `Orders` WHERE `Name` = {0} FOR UPDATE", name + "b").SingleAsync();
            }
            finally
            {
                await waiting;
                await transaction.RollbackAsync();
            }

            async Task RunAsync(string sql)
            {
                await using var command = new MySqlCommand(sql, other, transaction);
                await command.ExecuteNonQueryAsync();
            }
        }
    }

    [Fact]
    public async Task A_handler_that_ends_its_transaction_with_DDL_is_not_run_again()
    {
        var name = NewName();
        var runs = 0;
        await using var server = await StartAsync(async (Shop shop) =>
        {
            runs++;
            await SaveAsync(shop, name);
            var create = $"CREATE TABLE t{name} (id integer)"; // which commits
            await shop.Database.ExecuteSqlRawAsync(create);
            throw new NotSupportedException("boom");
        });
        Assert.Equal(500, (await server.SendAsync()).Status);
        Assert.Equal("idempotency-outcome-unknown", (await server.SendAsync()).Code);
        Assert.Equal((1, 1), (await OrdersAsync(name), runs));
    }
}
