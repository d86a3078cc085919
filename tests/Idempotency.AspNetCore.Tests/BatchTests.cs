namespace Idempotency.AspNetCore.Tests;

/// <summary>Batches: each item once, whatever becomes of the others.</summary>
public sealed class BatchTests
{
    [Fact]
    public async Task Each_item_gets_its_own_result_and_only_those_that_failed_run_again()
    {
        await using var functions = new Functions();
        var runs = new List<string>();
        var isBankAway = true;
        Task<IReadOnlyList<IdempotentBatchResult<Order, string>>> DeliverAsync(params Order[] orders) =>
            functions.Executor.ExecuteBatchAsync("orders", orders, order => order.Id, (order, run, _) =>
            {
                runs.Add(order.Id);
                return order.Amount > 100 && isBankAway ? throw new IOException($"no {run.Key}") : Task.FromResult($"paid {order.Id}");
            });

        Order[] batch = [new("a", 1), new("b", 200), new("c", 3)];
        var first = await DeliverAsync(batch);
        Assert.Equal(batch, first.Select(result => result.Item));
        Assert.Equal([true, false, true], first.Select(result => result.Succeeded));
        Assert.Equal(["paid a", "paid c"], first.Where(result => result.Succeeded).Select(result => result.Result));
        Assert.All(first, result => Assert.False(result.IsReplay));
        Assert.Equal("no b", Assert.IsType<IOException>(first[1].Exception).Message);
        Assert.Same(first[1].Exception, Assert.Throws<InvalidOperationException>(() => first[1].Result).InnerException);

        isBankAway = false;
        var second = await DeliverAsync([.. batch, new("d", 4)]);
        Assert.Equal(["paid a", "paid b", "paid c", "paid d"], second.Select(result => result.Result));
        Assert.Equal([true, false, true, false], second.Select(result => result.IsReplay));
        Assert.Equal(["a", "b", "c", "b", "d"], runs);

        // An item alone is the same call.
        Assert.Equal("paid a", await functions.Executor.ExecuteAsync<string>("orders", "a", (_, _) => throw new InvalidOperationException("It ran again.")));
    }

    [Fact]
    public async Task Duplicates_in_a_batch_run_once_and_share_what_becomes_of_it()
    {
        await using var functions = new Functions();
        var runs = new List<string>();
        Order[] batch = [new("a", 1), new("a", 1), new("b", 2), new("b", 2), new("a", 1)];
        var results = await functions.Executor.ExecuteBatchAsync("orders", batch, order => order.Id, (order, _, _) =>
        {
            runs.Add(order.Id);
            return order.Id == "b" ? throw new IOException("no") : Task.FromResult(new Receipt(order.Id, order.Amount, []));
        });
        Assert.Equal(["a", "b"], runs);
        Assert.Equal([true, true, false, false, true], results.Select(result => result.Succeeded));
        Assert.Equal([false, true, false, false, true], results.Select(result => result.IsReplay));
        Assert.All([results[1], results[4]], same => Assert.Same(results[0].Result, same.Result));
        Assert.Same(results[2].Exception, results[3].Exception);
    }

    [Fact]
    public async Task The_same_payload_is_the_same_item_when_it_is_the_key()
    {
        await using var functions = new Functions();
        var runs = 0;
        var results = await functions.Executor.ExecuteBatchAsync(
            "orders",
            new[] { new Order("a", 1.5m), new Order("a", 1.50m), new Order("a", 2) },
            order => IdempotentPayload.Of(order),
            (_, _, _) => Task.FromResult(++runs));
        Assert.Equal([1, 1, 2], results.Select(result => result.Result));
    }

    [Fact]
    public async Task A_key_that_is_used_for_something_else_in_the_same_batch_is_refused()
    {
        await using var functions = new Functions();
        var options = new IdempotentBatchOptions<Order> { ForItem = order => new() { Payload = IdempotentPayload.Of(order) }, MaxDegreeOfParallelism = 4 };
        var results = await functions.Executor.ExecuteBatchAsync(
            "orders", new[] { new Order("a", 1), new Order("a", 2), new Order("a", 1), new Order("a", 2) }, order => order.Id, (order, _, _) => Task.FromResult(order.Amount), options);
        Assert.Equal([true, false, true, false], results.Select(result => result.Succeeded));
        Assert.IsType<IdempotencyKeyReusedException>(results[1].Exception);
        Assert.Equal(1, results[2].Result);
        Assert.True(results[2].IsReplay);
    }

    [Fact]
    public async Task As_many_as_allowed_run_at_once_and_the_results_keep_their_order()
    {
        await using var functions = new Functions();
        var gate = new Gate();
        var running = 0;
        var most = 0;
        var batch = functions.Executor.ExecuteBatchAsync("orders", Enumerable.Range(0, 20), i => $"{i}", async (i, _, _) =>
        {
            InterlockedMax(ref most, Interlocked.Increment(ref running));
            await gate.PassAsync();
            Interlocked.Decrement(ref running);
            return i;
        }, new IdempotentBatchOptions<int> { MaxDegreeOfParallelism = 4 });
        for (var i = 0; i < 4; i++)
        {
            await gate.ArrivedAsync();
        }

        gate.Open();
        Assert.Equal(Enumerable.Range(0, 20), (await batch).Select(result => result.Result));
        Assert.Equal(4, most);
    }

    [Fact]
    public async Task By_default_items_run_one_after_the_other()
    {
        await using var functions = new Functions();
        var order = new List<int>();
        await functions.Executor.ExecuteBatchAsync("orders", Enumerable.Range(0, 50), i => $"{i}", async (i, _, _) =>
        {
            order.Add(i);
            await Task.Yield();
            order.Add(i);
        });
        Assert.Equal(Enumerable.Range(0, 50).SelectMany(i => new[] { i, i }), order);
    }

    [Fact]
    public async Task Cancelling_ends_the_batch_and_what_was_done_is_not_done_again()
    {
        await using var functions = new Functions();
        using var stopping = new CancellationTokenSource();
        var runs = new List<int>();
        Task<IReadOnlyList<IdempotentBatchResult<int, int>>> DeliverAsync(CancellationToken cancellationToken) =>
            functions.Executor.ExecuteBatchAsync("orders", new[] { 1, 2, 3 }, i => $"{i}", async (i, _, cancellation) =>
            {
                runs.Add(i);
                if (i == 2)
                {
                    await stopping.CancelAsync();
                    cancellation.ThrowIfCancellationRequested();
                }

                return i;
            }, cancellationToken: cancellationToken);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DeliverAsync(stopping.Token));
        Assert.Equal([1, 2], runs);
        var results = await DeliverAsync(CancellationToken.None);
        Assert.Equal([1, 2, 1 + 2], results.Select(result => result.Result));
        Assert.Equal([true, false, false], results.Select(result => result.IsReplay));
        Assert.Equal([1, 2, 2, 3], runs);
    }

    [Fact]
    public async Task An_item_without_a_key_fails_alone()
    {
        await using var functions = new Functions();
        var results = await functions.Executor.ExecuteBatchAsync(
            "orders", new[] { "a", "", "poison", "b" }, item => item == "poison" ? throw new FormatException("no id") : item, (item, _, _) => Task.FromResult(item));
        Assert.Equal([true, false, false, true], results.Select(result => result.Succeeded));
        Assert.IsType<ArgumentException>(results[1].Exception);
        Assert.IsType<FormatException>(results[2].Exception);
    }

    [Fact]
    public async Task An_item_that_another_process_is_working_on_says_when_to_come_again()
    {
        await using var one = new Functions();
        await using var other = new Functions(other: one);
        var gate = new Gate();
        var first = one.Executor.ExecuteAsync("orders", "a", async (_, _) => await gate.PassAsync());
        await gate.ArrivedAsync();
        var results = await other.Executor.ExecuteBatchAsync("orders", new[] { "a", "b" }, item => item, (_, _, _) => Task.CompletedTask);
        Assert.NotNull(Assert.IsType<IdempotencyInProgressException>(results[0].Exception).RetryAfter);
        Assert.True(results[1].Succeeded);
        gate.Open();
        await first;
        results = await other.Executor.ExecuteBatchAsync("orders", new[] { "a", "b" }, item => item, (_, _, _) => Task.CompletedTask);
        Assert.All(results, result => Assert.True(result.Succeeded && result.IsReplay));
    }

    [Fact]
    public async Task With_source_generated_metadata_no_reflection_is_needed()
    {
        await using var one = new Functions();
        await using var other = new Functions(other: one);
        foreach (var (functions, isReplay) in new[] { (one, false), (other, true) })
        {
            var results = await functions.Executor.ExecuteBatchAsync(
                "orders", new[] { new Order("a", 1) }, order => order.Id, (order, _, _) => Task.FromResult(new Receipt(order.Id, order.Amount, [])), FunctionJson.Default.Receipt);
            Assert.Equal(("a", isReplay), (results[0].Result.Id, results[0].IsReplay));
        }
    }

    [Fact]
    public async Task An_empty_batch_and_mistakes_in_the_call_itself()
    {
        await using var functions = new Functions();
        Assert.Empty(await functions.Executor.ExecuteBatchAsync("orders", Array.Empty<string>(), item => item, (_, _, _) => Task.CompletedTask));
        await Assert.ThrowsAsync<ArgumentException>(() => functions.Executor.ExecuteBatchAsync(" ", new[] { "a" }, item => item, (_, _, _) => Task.CompletedTask));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => functions.Executor.ExecuteBatchAsync(
            "orders", new[] { "a" }, item => item, (_, _, _) => Task.CompletedTask, new IdempotentBatchOptions<string> { MaxDegreeOfParallelism = 0 }));
    }

    private static void InterlockedMax(ref int target, int value)
    {
        for (var seen = Volatile.Read(ref target); value > seen; seen = Volatile.Read(ref target))
        {
            Interlocked.CompareExchange(ref target, value, seen);
        }
    }
}
