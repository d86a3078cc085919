namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>On a server: others write beside a handler's transaction, and may come in its way.</summary>
public abstract class ServerTests(ServerDatabase database)
{
    protected static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    protected static async Task<(StoreKey Key, Guid Owner)> ClaimedAsync(EntityFrameworkCoreIdempotencyStore<Shop> store)
    {
        var (key, claim) = (StoreTests.NewKey(), StoreTests.NewClaim());
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        return (key, claim.Owner);
    }

    protected async Task<Order> SavedAsync(int quantity = 0)
    {
        var order = new Order { Quantity = quantity };
        await using var scope = database.Application.CreateAsyncScope();
        var shop = scope.ServiceProvider.GetRequiredService<Shop>();
        shop.Add(order);
        await shop.SaveChangesAsync();
        return order;
    }

    [Fact]
    public async Task Claims_and_renewals_go_on_beside_a_handlers_transaction()
    {
        var (key, owner) = await ClaimedAsync(database.Store);
        await using var scope = database.Application.CreateAsyncScope();
        await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
        var shop = scope.ServiceProvider.GetRequiredService<Shop>();
        shop.Add(new Order());
        await shop.SaveChangesAsync();
        Assert.True(await database.Store.RenewAsync(key, owner, Hour, Hour, default));
        Assert.True(await database.Store.MarkEffectsStartedAsync(key, owner, Hour, Hour, default));
        Assert.Equal(owner, (await database.Store.ClaimAsync(key, StoreTests.NewClaim(), default)).Existing!.Owner);
        await ClaimedAsync(database.Store);
        await database.Store.RemoveExpiredAsync(default);
        Assert.True(await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
    }

    [Fact]
    public async Task A_claim_that_an_operator_deletes_while_the_handler_runs_undoes_its_writes()
    {
        var (key, owner) = await ClaimedAsync(database.Store);
        var order = new Order();
        await using (var scope = database.Application.CreateAsyncScope())
        {
            await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
            var shop = scope.ServiceProvider.GetRequiredService<Shop>();
            shop.Add(order);
            await shop.SaveChangesAsync();
            Assert.True(await database.Store.DeleteAsync(key, default));
            Assert.False(await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        }

        Assert.False(await database.HasOrderAsync(order));
    }

    [Fact]
    public async Task A_claim_that_is_taken_over_in_the_moment_of_completion_is_the_ones_who_came_first()
    {
        for (var round = 0; round < 20; round++)
        {
            var (key, owner) = await ClaimedAsync(database.Store);
            Assert.True(await database.Store.RenewAsync(key, owner, TimeSpan.Zero, Hour, default));
            var order = new Order();
            await using var scope = database.Application.CreateAsyncScope();
            await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
            var shop = scope.ServiceProvider.GetRequiredService<Shop>();
            shop.Add(order);
            await shop.SaveChangesAsync();
            var takeover = Task.Run(async () => await database.Store.ClaimAsync(key, StoreTests.NewClaim(supersedes: owner), default));
            var isCompleted = await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default);
            await transaction.DisposeAsync();
            Assert.NotEqual(isCompleted, (await takeover).IsAcquired);
            Assert.Equal(isCompleted, await database.HasOrderAsync(order));
        }
    }

    [Fact]
    public async Task A_deadlock_is_a_conflict_for_one_and_the_other_goes_on()
    {
        var orders = new[] { await SavedAsync(), await SavedAsync() };
        var bothHaveOne = new[] { new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously) };
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 2).Select(i => Task.Run(async () =>
        {
            var (key, owner) = await ClaimedAsync(database.Store);
            await using var scope = database.Application.CreateAsyncScope();
            await using var transaction = await database.Store.BeginTransactionAsync(scope.ServiceProvider, default);
            var facade = scope.ServiceProvider.GetRequiredService<Shop>().Database;
            await facade.ExecuteSqlRawAsync(database.Sql("UPDATE \"Orders\" SET \"Quantity\" = \"Quantity\" + 1 WHERE \"Id\" = {0}"), orders[i].Id);
            bothHaveOne[i].SetResult();
            await bothHaveOne[1 - i].Task.WaitAsync(TimeSpan.FromSeconds(30));
            try
            {
                await facade.ExecuteSqlRawAsync(database.Sql("UPDATE \"Orders\" SET \"Quantity\" = \"Quantity\" + 1 WHERE \"Id\" = {0}"), orders[1 - i].Id);
                return await transaction.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default) ? "completed" : "lost";
            }
            catch (Exception exception)
            {
                return transaction.IsConflict(exception) ? "conflict" : exception.ToString();
            }
        })));
        Assert.Equal(["completed", "conflict"], outcomes.Order(StringComparer.Ordinal));
        foreach (var order in orders)
        {
            Assert.Equal(1, await database.CountAsync($"SELECT \"Quantity\" FROM \"Orders\" WHERE \"Id\" = '{order.Id}'"));
        }
    }
}
