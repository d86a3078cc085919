namespace Idempotency.AspNetCore.Tests;

/// <summary>Selectors of functions' calls.</summary>
public sealed class SelectorFunctionTests
{
    private int _runs;

    private static Functions Start(IdempotencyPolicy policy, Functions? other = null, bool enabled = true) => new(
        options =>
        {
            options.DefaultPolicy = policy;
            options.Enabled = enabled;
        },
        other,
        idempotency => idempotency.AddJmesPath());

    private Task<string> PayAsync(Functions functions, IdempotentCallKey key, object? payload = null, string operation = "payouts") => functions.Executor.ExecuteAsync(
        operation,
        key,
        (run, _) => Task.FromResult($"{Interlocked.Increment(ref _runs)} {run.Key}"),
        new IdempotentCallOptions { Payload = payload is null ? null : IdempotentPayload.Of(payload) },
        TestContext.Current.CancellationToken);

    [Theory]
    [InlineData("[order_id, customer.id]")]
    [InlineData("body.[order_id, customer.id]")]
    [InlineData("powertools_json(body).[order_id, customer.id]")]
    public async Task The_key_is_selected_of_the_payload(string selector)
    {
        await using var functions = Start(new IdempotencyPolicy { KeySelector = selector });
        var first = await PayAsync(functions, IdempotentPayload.Of(new { order_id = 1, customer = new { id = "u" }, sent = 1 }));
        var again = await PayAsync(functions, IdempotentPayload.OfJson("""{ "sent": 2, "customer": { "id": "\u0075" }, "order_id": 1.0 }"""u8));
        var other = await PayAsync(functions, IdempotentPayload.Of(new { order_id = 2, customer = new { id = "u" } }));
        Assert.Equal($"1 {Selecting.KeyOf("""[1,"u"]""")}", first);
        Assert.Equal(first, again);
        Assert.StartsWith("2 ", other, StringComparison.Ordinal);

        // On another server, from the store, it is the same.
        await using var elsewhere = Start(new IdempotencyPolicy { KeySelector = selector }, functions);
        Assert.Equal(first, await PayAsync(elsewhere, IdempotentPayload.Of(new { order_id = 1, customer = new { id = "u" }, sent = 3 })));
    }

    [Fact]
    public async Task A_text_is_the_key_as_ever()
    {
        await using var functions = Start(new IdempotencyPolicy { KeySelector = "order_id" });
        Assert.Equal("1 text", await PayAsync(functions, "text"));
        Assert.Equal("1 text", await PayAsync(functions, "text"));
        Assert.Equal(FunctionIdentity.StoreKeyOf("payouts", "text", null), functions.Store.LastKey);
    }

    [Fact]
    public async Task A_selected_key_a_payload_and_a_text_are_never_the_same()
    {
        await using var functions = Start(new IdempotencyPolicy { KeySelector = "@" });
        await using var without = Start(new IdempotencyPolicy(), functions);
        var payload = IdempotentPayload.Of(new { order_id = 1 });
        Assert.StartsWith("1 ", await PayAsync(functions, payload), StringComparison.Ordinal);
        Assert.StartsWith("2 ", await PayAsync(without, payload), StringComparison.Ordinal);
        Assert.StartsWith("3 ", await PayAsync(functions, payload.Key), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("order_id")]
    [InlineData("headers.\"x-id\"")]
    [InlineData("[user.sub, path]")]
    public async Task Nothing_selected_is_an_error_where_a_key_is_required(string selector)
    {
        await using var functions = Start(new IdempotencyPolicy { KeySelector = selector });
        var failure = await Assert.ThrowsAsync<ArgumentException>("key", () => PayAsync(functions, IdempotentPayload.Of(new { secret = "hunter2" })));
        Assert.Contains(selector, failure.Message, StringComparison.Ordinal);
        Assert.Contains("KeyRequired", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", failure.Message, StringComparison.Ordinal);
        Assert.Equal((0, 0), (_runs, functions.Store.AllCalls));
    }

    [Fact]
    public async Task What_cannot_be_selected_is_an_error_without_the_payload()
    {
        await using var functions = Start(new IdempotencyPolicy { KeySelector = "join('-', ids)", FingerprintSelector = "sum(amounts)" });
        var key = await Assert.ThrowsAsync<ArgumentException>("key", () => PayAsync(functions, IdempotentPayload.Of(new { ids = new object[] { "hunter2", 1 } })));
        var payload = await Assert.ThrowsAsync<ArgumentException>("options", () => PayAsync(functions, "text", new { amounts = new[] { "hunter2" } }));
        Assert.Contains("join('-', ids)", key.Message, StringComparison.Ordinal);
        Assert.Contains("sum(amounts)", payload.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", key.Message + payload.Message, StringComparison.Ordinal);
        Assert.Equal((0, 0), (_runs, functions.Store.AllCalls));
    }

    [Fact]
    public async Task Nothing_selected_runs_unprotected_where_no_key_is_required_each_time_with_another_downstream_key()
    {
        await using var functions = Start(new IdempotencyPolicy { KeySelector = "order_id", KeyRequired = false });
        var downstream = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            await functions.Executor.ExecuteAsync(
                "payouts",
                IdempotentPayload.Of(new { other = 1 }),
                (run, _) =>
                {
                    Assert.Equal("", run.Key);
                    downstream.Add(run.DownstreamKey("bank"));
                    return Task.FromResult(1);
                },
                cancellationToken: TestContext.Current.CancellationToken);
        }

        Assert.Equal(3, downstream.Distinct().Count());
        Assert.Equal(0, functions.Store.AllCalls);
    }

    [Fact]
    public async Task Only_what_is_selected_of_the_payload_must_be_equal()
    {
        foreach (var mode in Enum.GetValues<RequestFingerprintMode>())
        {
            await using var functions = Start(new IdempotencyPolicy { FingerprintSelector = "[amount, to]", Fingerprint = mode });
            var first = await PayAsync(functions, "key", new { amount = 5, to = "X", sent = 1 });
            Assert.Equal(first, await PayAsync(functions, "key", new { sent = 2, to = "X", amount = 5.0m }));
            await Assert.ThrowsAsync<IdempotencyKeyReusedException>(() => PayAsync(functions, "key", new { amount = 6, to = "X" }));
            await Assert.ThrowsAsync<IdempotencyKeyReusedException>(() => PayAsync(functions, "key", new { sent = 1 }));
            await Assert.ThrowsAsync<IdempotencyKeyReusedException>(() => PayAsync(functions, "key"));
        }
    }

    [Fact]
    public async Task The_envelopes_body_is_the_payload()
    {
        await using var functions = Start(new IdempotencyPolicy { FingerprintSelector = "body.amount" });
        var first = await PayAsync(functions, "key", new { amount = 5, sent = 1 });
        Assert.Equal(first, await PayAsync(functions, "key", new { amount = 5, sent = 2 }));
        await Assert.ThrowsAsync<IdempotencyKeyReusedException>(() => PayAsync(functions, "key", new { amount = 6 }));
    }

    [Fact]
    public async Task Without_the_other_setting_the_whole_payload_must_be_equal()
    {
        await using var functions = Start(new IdempotencyPolicy { KeySelector = "id" });
        var first = await PayAsync(functions, IdempotentPayload.Of(new { id = 1 }), new { amount = 5 });
        Assert.Equal(first, await PayAsync(functions, IdempotentPayload.Of(new { id = 1, sent = 2 }), new { amount = 5 }));
        await Assert.ThrowsAsync<IdempotencyKeyReusedException>(() => PayAsync(functions, IdempotentPayload.Of(new { id = 1 }), new { amount = 6 }));
    }

    [Fact]
    public async Task Items_of_a_batch_that_select_the_same_key_are_one()
    {
        await using var functions = Start(new IdempotencyPolicy { KeySelector = "id" });
        var items = new[] { new Item(1, "a"), new Item(2, "b"), new Item(1, "c"), new Item(null, "d"), new Item(2, "e") };
        var results = await functions.Executor.ExecuteBatchAsync(
            "payouts",
            items,
            item => IdempotentPayload.Of(item),
            (item, _, _) => Task.FromResult($"{Interlocked.Increment(ref _runs)} {item.Note}"),
            cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(["1 a", "2 b", "1 a", null, "2 b"], results.Select(result => result.Exception is null ? result.Result : null));
        Assert.IsType<ArgumentException>(results[3].Exception);

        var again = await functions.Executor.ExecuteAsync("payouts", IdempotentPayload.Of(new Item(1, "z")), (_, _) => Task.FromResult("other"), cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal("1 a", again);
    }

    [Fact]
    public async Task Items_of_a_batch_without_a_key_run_each_where_none_is_required()
    {
        await using var functions = Start(new IdempotencyPolicy { KeySelector = "id", KeyRequired = false });
        var results = await functions.Executor.ExecuteBatchAsync(
            "payouts",
            [new Item(null, "a"), new Item(null, "a")],
            item => IdempotentPayload.Of(item),
            (_, _, _) => Task.FromResult(Interlocked.Increment(ref _runs)),
            cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal([1, 2], results.Select(result => result.Result));
    }

    [Fact]
    public async Task No_selector_is_in_the_way_where_idempotency_is_switched_off()
    {
        await using var functions = Start(new IdempotencyPolicy { KeySelector = "join('-', ids)", FingerprintSelector = "sum(amounts)" }, enabled: false);
        Assert.Equal("1 ", await PayAsync(functions, IdempotentPayload.Of(new { ids = new[] { 1 } })));
        Assert.Equal("2 ", await PayAsync(functions, IdempotentPayload.Of(new { other = 1 }), new { amounts = "x" }));
        Assert.Equal($"3 {Selecting.KeyOf("\"a\"")}", await PayAsync(functions, IdempotentPayload.Of(new { ids = new[] { "a" } })));
    }

    private sealed record Item(int? id, string Note);
}
