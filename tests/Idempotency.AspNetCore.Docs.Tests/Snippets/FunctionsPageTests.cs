namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/functions.md, run.</summary>
public sealed class FunctionsPageTests
{
    private static ServiceProvider Services() => new ServiceCollection().AddLogging()
        .AddIdempotency(options => options.AddPolicy("payouts", new IdempotencyPolicy { Retention = TimeSpan.FromDays(7) })).Services
        .AddSingleton<Bank>().AddSingleton<PayoutHandler>().BuildServiceProvider();

    [Fact]
    public async Task A_function_runs_once_for_its_key()
    {
        await using var services = Services();
        var handler = services.GetRequiredService<PayoutHandler>();
        var message = new PayoutMessage("p-17", 12.50m);
        var first = await handler.HandleAsync(message, default);
        var second = await handler.HandleAsync(message, default);
        Assert.Equal(first, second);
        Assert.Equal(1, services.GetRequiredService<Bank>().Payouts);
        await Assert.ThrowsAsync<IdempotencyKeyReusedException>(() => handler.HandleAsync(message with { Amount = 1 }, default));
    }

    [Fact]
    public async Task A_consumer_lets_a_message_come_again_or_puts_it_aside()
    {
        await using var services = Services();
        var handler = services.GetRequiredService<PayoutHandler>();
        var queue = new Queue();
        await ConsumeAsync(handler, queue, new PayoutMessage("p-1", 5));
        await ConsumeAsync(handler, queue, new PayoutMessage("p-1", 6)); // another payload with the key
        Assert.Equal(["completed p-1", "aside p-1"], queue.Log);
        services.GetRequiredService<Bank>().Gate = new Gate();
        var running = handler.HandleAsync(new PayoutMessage("p-2", 5), default);
        await services.GetRequiredService<Bank>().Gate!.ArrivedAsync();
        await ConsumeAsync(handler, queue, new PayoutMessage("p-2", 5));
        services.GetRequiredService<Bank>().Gate!.Open();
        await running;
        Assert.Equal("again p-2", queue.Log[^1]);
    }

    [Fact]
    public async Task A_batch_runs_what_failed_and_nothing_else()
    {
        await using var services = Services();
        var executor = services.GetRequiredService<IIdempotentExecutor>();
        var (logger, cancellation, runs, fails) = (services.GetRequiredService<ILogger<FunctionsPageTests>>(), TestContext.Current.CancellationToken, 0, true);
        var orders = new[] { new Order("o-1", 1), new Order("o-2", 2), new Order("o-1", 1) };
        for (var i = 0; i < 2; i++)
        {
            #region docs: functions-batch
            var results = await executor.ExecuteBatchAsync("orders", orders, order => order.Id, (order, run, cancel) => PayAsync(order, cancel),
                new() { ForItem = order => new() { Payload = IdempotentPayload.Of(order) }, MaxDegreeOfParallelism = 4 }, cancellation);
            foreach (var failed in results.Where(result => !result.Succeeded))
            {
                logger.LogWarning(failed.Exception, "Order {Id} will come again.", failed.Item.Id);
            }
            #endregion
            Assert.Equal(i == 0 ? 1 : 0, results.Count(result => !result.Succeeded));
            fails = false;
        }

        Assert.Equal(3, runs); // o-1 once, o-2 twice

        Task<decimal> PayAsync(Order order, CancellationToken cancel)
        {
            cancel.ThrowIfCancellationRequested();
            Interlocked.Increment(ref runs);
            return fails && order.Id == "o-2" ? throw new InvalidTimeZoneException() : Task.FromResult(order.Amount);
        }
    }

    private static async Task ConsumeAsync(PayoutHandler handler, Queue queue, PayoutMessage message)
    {
        #region docs: functions-consumer
        try
        {
            await handler.HandleAsync(message, queue.Stopping);
            await queue.CompleteAsync(message);
        }
        catch (IdempotencyException exception) when (exception.RetryAfter is { } delay)
        {
            await queue.DeliverAgainAsync(message, delay);
        }
        catch (IdempotencyException exception)
        {
            await queue.PutAsideAsync(message, exception.Code);
        }
        #endregion
    }

    private sealed record Order(string Id, decimal Amount);

    private sealed record PayoutMessage(string Id, decimal Amount);

    private sealed record Receipt(string Id, decimal Amount, bool TookOver);

    #region docs: functions-execute
    private sealed class PayoutHandler(IIdempotentExecutor executor, Bank bank)
    {
        public Task<Receipt> HandleAsync(PayoutMessage message, CancellationToken cancellation) => executor.ExecuteAsync(
            "payouts",                                                        // a key belongs to its operation
            message.Id,                                                       // or IdempotentPayload.Of(message): equal JSON is the same call
            (run, cancel) => bank.PayAsync(message, run.TookOver, cancel),
            new() { PolicyName = "payouts", Payload = IdempotentPayload.Of(message) }, // optional, as are Partition and SerializerOptions
            cancellation);
    }
    #endregion

    private sealed class Bank
    {
        public int Payouts { get; private set; }

        public Gate? Gate { get; set; }

        public async Task<Receipt> PayAsync(PayoutMessage message, bool tookOver, CancellationToken cancellation)
        {
            cancellation.ThrowIfCancellationRequested();
            if (Gate is { } gate)
            {
                await gate.PassAsync();
            }

            Payouts++;
            return new Receipt(message.Id, message.Amount, tookOver);
        }
    }

    private sealed class Queue
    {
        public List<string> Log { get; } = [];

        public CancellationToken Stopping { get; }

        public Task CompleteAsync(PayoutMessage message) => WriteAsync($"completed {message.Id}");

        public Task DeliverAgainAsync(PayoutMessage message, TimeSpan delay) => WriteAsync(delay > TimeSpan.Zero ? $"again {message.Id}" : "");

        public Task PutAsideAsync(PayoutMessage message, string reason) => WriteAsync(reason.Length > 0 ? $"aside {message.Id}" : "");

        private Task WriteAsync(string entry)
        {
            Log.Add(entry);
            return Task.CompletedTask;
        }
    }
}
