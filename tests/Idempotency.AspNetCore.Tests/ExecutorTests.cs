using System.Diagnostics.Metrics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Any function, once: without HTTP, by the same engine.</summary>
public sealed class ExecutorTests
{
    private static readonly IdempotencyPolicy Waiting = new() { WhenInProgress = InProgressBehavior.Wait };

    private static Task<T> Never<T>(IIdempotentRun run, CancellationToken cancellation) => throw new InvalidOperationException("It ran again.");

    private static Task Never(IIdempotentRun run, CancellationToken cancellation) => throw new InvalidOperationException("It ran again.");

    // What it gives.

    [Fact]
    public async Task The_work_runs_once_and_every_other_call_gets_its_result()
    {
        await using var functions = new Functions();
        var receipt = new Receipt("r-1", 42.50m, ["a", "b"]);
        var first = await functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(receipt));
        Assert.Same(receipt, first);
        var second = await functions.Executor.ExecuteAsync("payouts", "key-1", Never<Receipt>);
        second.Lines.Add("the caller's own");
        var third = await functions.Executor.ExecuteAsync("payouts", "key-1", Never<Receipt>);
        Assert.Equal(JsonSerializer.Serialize(receipt), JsonSerializer.Serialize(third));
        Assert.NotSame(second, third);
        Assert.Equal(2, functions.Logs.Count("Replayed"));
    }

    [Fact]
    public async Task Two_payloads_that_are_tuples_are_two()
    {
        await using var functions = new Functions();
        var runs = new List<string>();
        foreach (var (id, amount) in new[] { ("a", 5m), ("b", 500m) })
        {
            await functions.Executor.ExecuteAsync("pay", IdempotentPayload.Of((id, amount)), (_, _) =>
            {
                runs.Add(id);
                return Task.CompletedTask;
            });
        }

        Assert.Equal(["a", "b"], runs);
    }

    [Fact]
    public async Task A_result_that_is_a_tuple_is_the_same_again()
    {
        await using var functions = new Functions();
        Task<(string, decimal)> Pay() => functions.Executor.ExecuteAsync<(string, decimal)>("pay", "k", (_, _) => Task.FromResult(("receipt", 5m)));
        Assert.Equal(("receipt", 5m), await Pay());
        Assert.Equal(("receipt", 5m), await Pay());
    }

    [Fact]
    public async Task A_result_that_would_not_come_back_as_it_went_is_never_given_as_another()
    {
        await using var functions = new Functions();
        Task<Total> Pay() => functions.Executor.ExecuteAsync("pay", "k", (_, _) => Task.FromResult(new Total(5m)));
        Assert.Equal(5m, (await Pay()).Amount);
        await Assert.ThrowsAsync<IdempotencyResultUnavailableException>(Pay);
    }

    public sealed class Total
    {
        public Total(decimal value) => Amount = value;

        public Total()
        {
        }

        public decimal Amount { get; private set; }
    }

    [Fact]
    public async Task A_result_type_that_cannot_be_read_runs_nothing()
    {
        await using var functions = new Functions();
        var runs = 0;
        await Assert.ThrowsAsync<NotSupportedException>(() => functions.Executor.ExecuteAsync<IReceipt>("pay", "k", (_, _) =>
        {
            runs++;
            return Task.FromResult<IReceipt>(new Concrete("x"));
        }));
        Assert.Equal(0, runs);
    }

    [Fact]
    public async Task A_result_type_that_cannot_be_written_runs_nothing()
    {
        await using var functions = new Functions();
        var runs = 0;
        await Assert.ThrowsAsync<NotSupportedException>(() => functions.Executor.ExecuteAsync<Type>("pay", "k", (_, _) =>
        {
            runs++;
            return Task.FromResult(typeof(int));
        }));
        Assert.Equal(0, runs);
    }

    [Fact]
    public async Task A_payload_that_says_nothing_is_an_error_that_names_the_fix()
    {
        await using var functions = new Functions();
        foreach (var empty in new Action[] { () => IdempotentPayload.Of(new object()), () => IdempotentPayload.Of(new { }), () => IdempotentPayload.Of((1, 2), System.Text.Json.JsonSerializerOptions.Default) })
        {
            Assert.Contains("IncludeFields", Assert.Throws<ArgumentException>(empty).Message, StringComparison.Ordinal);
        }

        var runs = 0;
        await Assert.ThrowsAsync<NotSupportedException>(() => functions.Executor.ExecuteAsync("pay", "k", (_, _) => Task.FromResult((++runs, 2)), new() { SerializerOptions = System.Text.Json.JsonSerializerOptions.Default }));
        Assert.Equal(0, runs);
    }

    private interface IReceipt
    {
        string Id { get; }
    }

    private sealed record Concrete(string Id) : IReceipt;

    [Fact]
    public async Task Another_process_gets_the_result_from_the_store_with_one_call_and_then_with_none()
    {
        await using var one = new Functions();
        await using var other = new Functions(other: one);
        await one.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(7));
        Assert.Equal(7, await other.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
        Assert.Equal((1, 1), (other.Store.Calls("claim"), other.Store.AllCalls));
        Assert.Equal(7, await other.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
        Assert.Equal(1, other.Store.AllCalls);
    }

    [Fact]
    public async Task Results_of_every_kind_come_back_as_they_were()
    {
        await ComesBackAsync<string?>(null);
        await ComesBackAsync<Receipt?>(null);
        await ComesBackAsync<JsonDocument?>(null);
        await ComesBackAsync<int?>(null);
        await ComesBackAsync("");
        await ComesBackAsync("ä€😀\n");
        await ComesBackAsync(0);
        await ComesBackAsync(false);
        await ComesBackAsync(9007199254740993L);
        await ComesBackAsync(79228162514264337593543950335m);
        await ComesBackAsync(Guid.Parse("6a0a1a0e-0c4e-4d53-9d0a-3a1b8c2d4e5f"));
        await ComesBackAsync(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.FromHours(2)));
        await ComesBackAsync(DayOfWeek.Friday);
        await ComesBackAsync(new Order("o-1", 1.50m));
        await ComesBackAsync<List<int>>([1, 2, 3]);
        await ComesBackAsync<Dictionary<string, int[]>>(new() { ["a"] = [1] });
        await ComesBackAsync(new byte[] { 1, 2, 3 });
        await ComesBackAsync(JsonDocument.Parse("""{ "a": [1, 1.0, null] }""").RootElement);
        await ComesBackAsync(JsonDocument.Parse("null").RootElement);
        await ComesBackAsync(new string('x', 10_000)); // compressed

        static async Task ComesBackAsync<T>(T result)
        {
            await using var one = new Functions();
            await using var other = new Functions(other: one);
            await one.Executor.ExecuteAsync("operation", "key-1", (_, _) => Task.FromResult(result));
            var back = await other.Executor.ExecuteAsync("operation", "key-1", Never<T>);
            Assert.Equal(JsonSerializer.Serialize(result), JsonSerializer.Serialize(back));
            Assert.Equal(result is null, back is null);
        }
    }

    [Fact]
    public async Task Work_without_a_result_runs_once_too()
    {
        await using var functions = new Functions();
        var runs = 0;
        for (var i = 0; i < 3; i++)
        {
            await functions.Executor.ExecuteAsync("mail", "key-1", async (_, _) => { await Task.Yield(); runs++; });
        }

        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task With_source_generated_metadata_no_reflection_is_needed()
    {
        await using var one = new Functions();
        await using var other = new Functions(other: one);
        var order = IdempotentPayload.Of(new Order("o-1", 1.50m), FunctionJson.Default.Order);
        var first = await one.Executor.ExecuteAsync("orders", order, (_, _) => Task.FromResult(new Receipt("r-1", 1.50m, [])), FunctionJson.Default.Receipt);
        var again = await other.Executor.ExecuteAsync("orders", order, Never<Receipt>, FunctionJson.Default.Receipt);
        Assert.Equal(("r-1", 1.50m), (again.Id, again.Amount));
        Assert.NotSame(first, again);
        Assert.Equal("r-1", (await other.Executor.ExecuteAsync("orders", IdempotentPayload.Of(new Order("o-1", 1.5m)), Never<Receipt>)).Id);
    }

    [Fact]
    public async Task Results_are_written_and_read_as_the_options_say()
    {
        await using var functions = new Functions();
        var options = new IdempotentCallOptions { SerializerOptions = new JsonSerializerOptions { Converters = { new JsonStringEnumConverter() } } };
        await functions.Executor.ExecuteAsync("operation", "key-1", (_, _) => Task.FromResult(DayOfWeek.Friday), options);
        Assert.Equal("Friday", await functions.Executor.ExecuteAsync("operation", "key-1", Never<string>));
        Assert.Equal(DayOfWeek.Friday, await functions.Executor.ExecuteAsync("operation", "key-1", Never<DayOfWeek>, options));
    }

    [Fact]
    public async Task A_result_is_kept_for_the_retention_and_no_longer()
    {
        await using var functions = new Functions();
        var runs = 0;
        Task<int> RunAsync() => functions.Executor.ExecuteAsync("operation", "key-1", (_, _) => Task.FromResult(++runs));
        Assert.Equal(1, await RunAsync());
        functions.Time.Advance(TimeSpan.FromHours(24) - TimeSpan.FromTicks(1));
        Assert.Equal(1, await RunAsync());
        functions.Time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(2, await RunAsync());
    }

    [Fact]
    public async Task What_the_caller_leaves_out_the_compiler_finds()
    {
        // Each line would be ambiguous, or drop a result, if the overloads were in each other's way.
        await using var functions = new Functions(options => options.AddPolicy("named", new IdempotencyPolicy()));
        var executor = functions.Executor;
        int number = await executor.ExecuteAsync("a", "1", (_, _) => Task.FromResult(1), new() { PolicyName = "named" });
        int same = await executor.ExecuteAsync("a", "1", async (_, _) => { await Task.Yield(); return 2; }, null);
        await executor.ExecuteAsync("a", "2", async (_, _) => await Task.Yield(), new() { Partition = "tenant-1" });
        await executor.ExecuteAsync("a", "3", (_, cancellation) => Task.Delay(0, cancellation), new(), CancellationToken.None);
        Receipt receipt = await executor.ExecuteAsync("a", "4", (run, _) => Task.FromResult(new Receipt(run.Key, 1, [])), FunctionJson.Default.Receipt, new() { PolicyName = "named" });
        var batch = await executor.ExecuteBatchAsync("a", new[] { "5" }, item => item, (item, _, _) => Task.FromResult(item), new() { ForItem = item => new() { Payload = IdempotentPayload.Of(item, new()) } });
        Assert.Equal((1, 1, "4", "5"), (number, same, receipt.Id, batch[0].Result));
    }

    // Which call it is.

    [Fact]
    public async Task Operations_partitions_keys_and_payloads_are_kept_apart()
    {
        await using var functions = new Functions();
        var runs = 0;
        Task<int> RunAsync(string operation, IdempotentCallKey key, string? partition = null) =>
            functions.Executor.ExecuteAsync(operation, key, (_, _) => Task.FromResult(++runs), new IdempotentCallOptions { Partition = partition });

        Assert.Equal(1, await RunAsync("a", "bc"));
        Assert.Equal(2, await RunAsync("ab", "c"));
        Assert.Equal(3, await RunAsync("a", "bc", partition: ""));
        Assert.Equal(4, await RunAsync("a", "bc", partition: "tenant-1"));
        Assert.Equal(5, await RunAsync("a", "bc", partition: "tenant-2"));
        Assert.Equal(6, await RunAsync("a", IdempotentPayload.Of("bc")));
        var sameTextAsThePayloadsHash = "";
        await functions.Executor.ExecuteAsync("b", IdempotentPayload.Of("bc"), (run, _) => { sameTextAsThePayloadsHash = run.Key; return Task.CompletedTask; });
        Assert.Equal(7, await RunAsync("b", sameTextAsThePayloadsHash));
        Assert.Equal(8, await RunAsync("a", new string('k', 100_000)));
        Assert.Equal(9, await RunAsync("a", "\ud800"));
        Assert.Equal(10, await RunAsync("a", "\ud801"));

        Assert.Equal(1, await RunAsync("a", "bc"));
        Assert.Equal(4, await RunAsync("a", "bc", partition: "tenant-1"));
        Assert.Equal(6, await RunAsync("a", IdempotentPayload.Of("bc")));
    }

    [Fact]
    public async Task A_payload_is_a_key_by_its_value()
    {
        await using var functions = new Functions();
        var runs = 0;
        var keys = new HashSet<string>();
        Task<int> RunAsync(IdempotentPayload payload) => functions.Executor.ExecuteAsync("orders", payload, (run, _) => { keys.Add(run.Key); return Task.FromResult(++runs); });

        Assert.Equal(1, await RunAsync(IdempotentPayload.Of(new Order("o-1", 1.50m))));
        Assert.Equal(1, await RunAsync(IdempotentPayload.Of(new { Amount = 1.5, Id = "o-1" })));
        Assert.Equal(1, await RunAsync(IdempotentPayload.OfJson("""{ "Amount": 15e-1, "Id": "\u006f-1" }"""u8)));
        Assert.Equal(2, await RunAsync(IdempotentPayload.Of(new Order("o-1", 1.51m))));
        Assert.Equal(3, await RunAsync(IdempotentPayload.OfJson("""{ "Amount": 1.5, "Id": "o-1", "Id": "o-1" }"""u8)));
        Assert.Equal(4, await RunAsync(IdempotentPayload.OfJson("not JSON"u8)));
        Assert.Equal(4, await RunAsync(IdempotentPayload.OfJson("not JSON"u8)));
        Assert.Equal(5, await RunAsync(IdempotentPayload.Of("a string")));
        Assert.Equal(5, await RunAsync(IdempotentPayload.OfJson("\"a string\""u8)));
        Assert.All(keys, key => Assert.Matches("^(raw-)?[0-9a-f]{64}$", key));
    }

    [Fact]
    public async Task A_call_without_a_key_a_payload_or_a_name_is_a_mistake_that_is_told()
    {
        await using var functions = new Functions();
        foreach (var key in new IdempotentCallKey[] { "", " ", default, (string)null!, (IdempotentPayload)null! })
        {
            var missing = await Assert.ThrowsAnyAsync<ArgumentException>(() => functions.Executor.ExecuteAsync("operation", key, Never));
            Assert.Equal("key", missing.ParamName);
        }

        Assert.Equal("operation", (await Assert.ThrowsAnyAsync<ArgumentException>(() => functions.Executor.ExecuteAsync(" ", "key-1", Never))).ParamName);
        Assert.Throws<ArgumentNullException>(() => IdempotentPayload.Of<Order?>(null));
        Assert.Throws<ArgumentNullException>(() => IdempotentPayload.Of(null!, FunctionJson.Default.Order));
        Assert.Throws<ArgumentException>(() => IdempotentPayload.OfJson([]));
        Assert.Equal(0, functions.Store.AllCalls);
    }

    [Fact]
    public async Task A_key_of_a_request_and_a_key_of_a_function_never_meet()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "from HTTP").WithIdempotency(), options => options.DefaultPolicy = new() { Partition = _ => null });
        using var response = await api.SendAsync("/");
        var executor = api.Services.GetRequiredService<IIdempotentExecutor>();
        foreach (var operation in new[] { "POST", "/", "POST/" })
        {
            Assert.Equal("a function's", await executor.ExecuteAsync(operation, "key-1", (_, _) => Task.FromResult("a function's")));
        }

        using var again = await api.SendAsync("/");
        Assert.Equal("from HTTP", await again.TextAsync());
    }

    [Fact]
    public async Task Another_payload_under_the_same_key_is_refused_whatever_the_first_one_does()
    {
        await using var functions = new Functions();
        static IdempotentCallOptions With(object? payload) => new() { Payload = payload is null ? null : IdempotentPayload.Of(payload) };
        var gate = new Gate();
        var first = functions.Executor.ExecuteAsync("payouts", "key-1", async (_, _) => { await gate.PassAsync(); return 1; }, With(new { Amount = 10 }));
        await gate.ArrivedAsync();
        await Assert.ThrowsAsync<IdempotencyKeyReusedException>(() => functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>, With(new { Amount = 11 })));
        gate.Open();
        await first;
        var reused = await Assert.ThrowsAsync<IdempotencyKeyReusedException>(() => functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>, With(new { Amount = 11 })));
        Assert.Null(reused.RetryAfter);
        Assert.DoesNotContain("key-1", reused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<IdempotencyKeyReusedException>(() => functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
        Assert.Equal(1, await functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>, With(new { Amount = 10.0 })));

        await functions.Executor.ExecuteAsync("payouts", "key-2", (_, _) => Task.FromResult(2));
        await Assert.ThrowsAsync<IdempotencyKeyReusedException>(() => functions.Executor.ExecuteAsync("payouts", "key-2", Never<int>, With(new { Amount = 10 })));
    }

    [Fact]
    public async Task A_policy_without_a_fingerprint_passes_over_the_payload()
    {
        await using var functions = new Functions(options => options.AddPolicy("key alone", new IdempotencyPolicy { Fingerprint = RequestFingerprintMode.None }));
        var options = new IdempotentCallOptions { PolicyName = "key alone", Payload = IdempotentPayload.Of(1) };
        await functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(1), options);
        Assert.Equal(1, await functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>, options with { Payload = IdempotentPayload.Of(2) }));
    }

    // While it runs.

    [Fact]
    public async Task A_hundred_at_once_are_one_run()
    {
        await using var functions = new Functions(options => options.DefaultPolicy = Waiting);
        var runs = 0;
        var gate = new Gate();
        var calls = Enumerable.Range(0, 100).Select(_ => Task.Run(() => functions.Executor.ExecuteAsync("payouts", "key-1", async (_, _) =>
        {
            var run = Interlocked.Increment(ref runs);
            await gate.PassAsync();
            return run;
        }))).ToArray();
        await gate.ArrivedAsync();
        gate.Open();
        Assert.All(await Task.WhenAll(calls), result => Assert.Equal(1, result));
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task A_call_while_the_first_runs_is_told_when_to_come_again()
    {
        await using var functions = new Functions();
        var gate = new Gate();
        var first = functions.Executor.ExecuteAsync("payouts", "key-1", async (_, _) => { await gate.PassAsync(); return 1; });
        await gate.ArrivedAsync();
        var running = await Assert.ThrowsAsync<IdempotencyInProgressException>(() => functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
        Assert.Equal(TimeSpan.FromSeconds(1), running.RetryAfter);
        Assert.DoesNotContain("key-1", running.ToString(), StringComparison.Ordinal);
        gate.Open();
        Assert.Equal(1, await first);
        Assert.Equal(1, await functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
    }

    [Fact]
    public async Task Waiting_ends_with_the_callers_token_or_the_policys_patience()
    {
        await using var functions = new Functions(options => options.DefaultPolicy = Waiting);
        var gate = new Gate();
        var first = functions.Executor.ExecuteAsync("payouts", "key-1", async (_, _) => { await gate.PassAsync(); return 1; });
        await gate.ArrivedAsync();
        using var impatient = new CancellationTokenSource();
        var leaving = functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>, cancellationToken: impatient.Token);
        var staying = functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>);
        await impatient.CancelAsync();
        Assert.Equal(impatient.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving)).CancellationToken);
        Assert.False(staying.IsCompleted);
        await functions.Time.PassUntilDoneAsync(staying, "done");
        await Assert.ThrowsAsync<IdempotencyInProgressException>(() => staying);
        gate.Open();
        Assert.Equal(1, await first);
    }

    [Fact]
    public async Task Of_those_who_wait_for_a_run_that_fails_exactly_one_runs()
    {
        await using var functions = new Functions(options => options.DefaultPolicy = Waiting);
        var runs = 0;
        var gate = new Gate();
        async Task<int> WorkAsync(IIdempotentRun run, CancellationToken cancellation)
        {
            var number = Interlocked.Increment(ref runs);
            await gate.PassAsync();
            return number == 1 ? throw new IOException("the bank is away") : number;
        }

        var first = functions.Executor.ExecuteAsync("payouts", "key-1", WorkAsync);
        await gate.ArrivedAsync();
        var others = Enumerable.Range(0, 10).Select(_ => functions.Executor.ExecuteAsync("payouts", "key-1", WorkAsync)).ToArray();
        gate.Open();
        await Assert.ThrowsAsync<IOException>(() => first);
        Assert.All(await Task.WhenAll(others), result => Assert.Equal(2, result));
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task Work_that_runs_longer_than_its_lease_keeps_it()
    {
        await using var functions = new Functions();
        var gate = new Gate();
        var first = functions.Executor.ExecuteAsync("payouts", "key-1", async (_, _) => { await gate.PassAsync(); return 1; });
        await gate.ArrivedAsync();
        for (var i = 1; i <= 10; i++)
        {
            functions.Time.Advance(TimeSpan.FromSeconds(20));
            await Eventually.TrueAsync(() => functions.Store.Calls("renew") == i, $"renewal {i}");
            await Assert.ThrowsAsync<IdempotencyInProgressException>(() => functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
        }

        gate.Open();
        Assert.Equal(1, await first);
    }

    [Fact]
    public async Task Calls_may_be_nested_but_not_into_themselves()
    {
        await using var functions = new Functions();
        var executor = functions.Executor;
        var result = await executor.ExecuteAsync("outer", "key-1", async (_, cancellation) =>
        {
            await Assert.ThrowsAsync<IdempotencyInProgressException>(() => executor.ExecuteAsync("outer", "key-1", Never<int>, cancellationToken: cancellation));
            return 1 + await executor.ExecuteAsync("inner", "key-1", (_, _) => Task.FromResult(1), cancellationToken: cancellation);
        });
        Assert.Equal(2, result);
        Assert.Equal(1, await executor.ExecuteAsync("inner", "key-1", Never<int>));
    }

    [Fact]
    public async Task A_protected_handler_may_call_it()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (IIdempotentExecutor executor, HttpContext context) =>
        {
            IIdempotentRun request = context.Features.GetRequiredFeature<IIdempotencyFeature>();
            var result = await executor.ExecuteAsync("inner", "the same for all", (_, _) => Task.FromResult(++runs));
            return $"{request.Key} {request.Attempt} {result}";
        }).WithIdempotency());
        foreach (var (key, sent) in new[] { ("key-a", "key-a 1 1"), ("key-b", "key-b 1 1"), ("key-a", "key-a 1 1") })
        {
            using var response = await api.SendAsync(key: key);
            Assert.Equal(sent, await response.TextAsync());
        }
    }

    // When the work fails, or is given up.

    [Fact]
    public void An_exception_has_the_code_and_the_retry_of_its_problem_over_HTTP() => Assert.All(
        new[]
        {
            IdempotencyProblem.KeyReused, IdempotencyProblem.RequestInProgress, IdempotencyProblem.OutcomeUnknown, IdempotencyProblem.TransactionConflict,
            IdempotencyProblem.CommitUnknown, IdempotencyProblem.StoreUnavailable,
        },
        problem =>
        {
            var exception = CallRejection.Of(problem, "payouts", null);
            Assert.Equal(problem.Code, exception.Code);
            Assert.Equal(problem.RetryAfterSeconds, exception.RetryAfter?.TotalSeconds);
        });

    [Fact]
    public async Task An_exception_frees_the_key_and_reaches_the_caller_untouched()
    {
        await using var functions = new Functions();
        var refusal = new IOException("the bank is away");
        Task<int> RefuseAsync(IIdempotentRun run, CancellationToken cancellation) => throw refusal;
        var caught = await Assert.ThrowsAsync<IOException>(() => functions.Executor.ExecuteAsync("payouts", "key-1", RefuseAsync));
        Assert.Same(refusal, caught);
        Assert.Contains(nameof(RefuseAsync), caught.StackTrace, StringComparison.Ordinal);
        Assert.Equal(1, functions.Store.Calls("release"));
        Assert.Equal(2, await functions.Executor.ExecuteAsync("payouts", "key-1", (run, _) => Task.FromResult(1 + run.Attempt)));
    }

    [Fact]
    public async Task A_store_that_is_away_when_the_work_fails_does_not_hide_why_it_failed()
    {
        await using var functions = new Functions();
        functions.Store.Before = operation => operation == "release" && functions.Store.Calls("release") == 1 ? throw new TimeoutException("away") : Task.CompletedTask;
        var failing = functions.Executor.ExecuteAsync<int>("payouts", "key-1", (_, _) => throw new IOException("the bank is away"));
        await Assert.ThrowsAsync<IOException>(() => failing);
        await Eventually.TrueAsync(
            () =>
            {
                functions.Time.Advance(TimeSpan.FromMilliseconds(100));
                return functions.Store.Calls("release") >= 2;
            },
            "the next try");
        await Eventually.TrueAsync(() => functions.Store.Inner.Count == 0, "the key is free");
    }

    [Fact]
    public async Task The_callers_token_reaches_the_work_and_its_cancellation_frees_the_key()
    {
        await using var functions = new Functions();
        using var stopping = new CancellationTokenSource();
        var gate = new Gate();
        var first = functions.Executor.ExecuteAsync("payouts", "key-1", async (_, cancellation) =>
        {
            await gate.PassAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
        }, cancellationToken: stopping.Token);
        await gate.ArrivedAsync();
        gate.Open();
        await stopping.CancelAsync();
        Assert.Equal(stopping.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first)).CancellationToken);
        Assert.Equal(1, await functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(1)));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => functions.Executor.ExecuteAsync("payouts", "key-2", Never, cancellationToken: stopping.Token));
    }

    [Fact]
    public async Task What_is_done_is_recorded_though_the_token_has_fired()
    {
        await using var functions = new Functions();
        using var stopping = new CancellationTokenSource();
        var result = await functions.Executor.ExecuteAsync("payouts", "key-1", async (_, _) => { await stopping.CancelAsync(); return 1; }, cancellationToken: stopping.Token);
        Assert.Equal(1, result);
        Assert.Equal(1, await functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
    }

    // When a process dies.

    /// <summary>A process whose run never ends and whose lease lapses, as after a crash; but it comes back when the gate is opened.</summary>
    private static async Task<(Functions Process, Gate Gate, Task<int> Late)> StartLapsedAsync(IdempotencyPolicy policy)
    {
        var process = new Functions(options => options.DefaultPolicy = policy);
        process.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var gate = new Gate();
        var late = process.Executor.ExecuteAsync("payouts", "key-1", async (_, _) => { await gate.PassAsync(); return 1; });
        await gate.ArrivedAsync();
        process.Time.Advance(TimeSpan.FromSeconds(61));
        return (process, gate, late);
    }

    [Fact]
    public async Task What_a_dead_process_began_is_taken_over_and_its_late_result_does_not_count()
    {
        var (dead, gate, late) = await StartLapsedAsync(new());
        await using var _ = dead;
        await using var successor = new Functions(other: dead);
        var attempt = await successor.Executor.ExecuteAsync("payouts", "key-1", (run, _) => Task.FromResult(run.TookOver ? 10 * run.Attempt : -1));
        Assert.Equal(20, attempt);
        Assert.Equal(1, successor.Logs.Count("TookOver"));
        gate.Open();
        Assert.Equal(20, await late);
        Assert.Equal(20, await dead.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
    }

    [Fact]
    public async Task A_late_result_is_not_told_while_the_successor_runs()
    {
        var (dead, gate, late) = await StartLapsedAsync(new());
        await using var _ = dead;
        await using var successor = new Functions(other: dead);
        var second = new Gate();
        var attempt = successor.Executor.ExecuteAsync("payouts", "key-1", async (_, _) => { await second.PassAsync(); return 2; });
        await second.ArrivedAsync();
        gate.Open();
        Assert.NotNull((await Assert.ThrowsAsync<IdempotencyInProgressException>(() => late)).RetryAfter);
        second.Open();
        Assert.Equal(2, await attempt);
        Assert.Equal(2, await dead.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
    }

    [Fact]
    public async Task What_must_never_happen_twice_is_refused_after_a_crash()
    {
        var policy = new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse };
        var (dead, gate, late) = await StartLapsedAsync(policy);
        await using var _ = dead;
        await using var successor = new Functions(options => options.DefaultPolicy = policy, other: dead);
        var unknown = await Assert.ThrowsAsync<IdempotencyOutcomeUnknownException>(() => successor.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
        Assert.Null(unknown.RetryAfter);
        gate.Open();
        Assert.Equal(1, await late);
        Assert.Equal(1, await successor.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
    }

    [Fact]
    public async Task The_work_can_learn_that_its_claim_is_lost()
    {
        await using var functions = new Functions();
        var gate = new Gate();
        var first = functions.Executor.ExecuteAsync("payouts", "key-1", async (run, _) =>
        {
            var lost = new TaskCompletionSource();
            await using var registration = run.ClaimLost.Register(lost.SetResult);
            await gate.PassAsync();
            await lost.Task;
            throw new OperationCanceledException(run.ClaimLost);
        });
        await gate.ArrivedAsync();
        gate.Open();
        await functions.Store.Inner.DeleteAsync(functions.Store.LastKey, CancellationToken.None);
        functions.Time.Advance(TimeSpan.FromSeconds(20));
        await Assert.ThrowsAsync<OperationCanceledException>(() => first);
    }

    // When the store fails.

    [Fact]
    public async Task A_store_that_is_away_before_the_work_means_that_nothing_runs()
    {
        await using var functions = new Functions();
        functions.Store.Before = operation => operation == "claim" ? throw new IOException("away") : Task.CompletedTask;
        var away = await Assert.ThrowsAsync<IdempotencyStoreUnavailableException>(() => functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
        Assert.Equal(TimeSpan.FromSeconds(5), away.RetryAfter);
        Assert.IsType<IOException>(away.InnerException);
        functions.Store.Before = null;
        Assert.Equal(1, await functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(1)));
    }

    [Fact]
    public async Task A_policy_may_choose_to_run_unprotected_when_the_store_is_away()
    {
        await using var functions = new Functions(options => options.AddPolicy("available", new IdempotencyPolicy { WhenStoreUnavailable = StoreUnavailableBehavior.Execute }));
        functions.Store.Before = operation => operation == "claim" ? throw new IOException("away") : Task.CompletedTask;
        var options = new IdempotentCallOptions { PolicyName = "available" };
        var runs = 0;
        for (var i = 1; i <= 2; i++)
        {
            Assert.Equal($"key-1 1 False False {i}", await functions.Executor.ExecuteAsync("payouts", "key-1", (run, _) => Task.FromResult($"{run.Key} {run.Attempt} {run.TookOver} {run.ClaimLost.CanBeCanceled} {++runs}"), options));
        }

        Assert.Equal(2, functions.Logs.Count("RunsUnprotected"));
    }

    [Fact]
    public async Task A_result_that_cannot_be_recorded_is_told_and_kept_here_while_the_claim_lasts()
    {
        await using var functions = new Functions();
        await using var other = new Functions(other: functions);
        functions.Store.Before = operation => operation == "complete" ? throw new IOException("away") : Task.CompletedTask;
        var first = functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(1));
        await functions.Time.PassUntilAsync(() => functions.Logs.Count("ResponseNotRecorded") > 0, "giving up");
        Assert.Equal(1, await first);
        Assert.Equal(LogLevel.Critical, Assert.Single(functions.Logs.Entries, entry => entry.Event == "ResponseNotRecorded").Level);
        Assert.Equal(1, await functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
        await Assert.ThrowsAsync<IdempotencyInProgressException>(() => other.Executor.ExecuteAsync("payouts", "key-1", Never<int>));
        functions.Time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(2, await other.Executor.ExecuteAsync("payouts", "key-1", (run, _) => Task.FromResult(run.Attempt)));
    }

    [Theory]
    [InlineData("claim")]
    [InlineData("complete")]
    public async Task A_reply_of_the_store_that_is_lost_costs_no_second_run(string lost)
    {
        await using var functions = new Functions();
        var runs = 0;
        functions.Store.After = operation => _ = operation == lost && functions.Store.Calls(lost) == 1 ? throw new IOException("lost") : 0;
        async Task<int> CallAsync()
        {
            try
            {
                return await functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(++runs));
            }
            catch (IdempotencyException exception) when (exception.RetryAfter is not null)
            {
                return 0;
            }
        }

        await Eventually.TrueAsync(
            () =>
            {
                var call = CallAsync();
                functions.Time.Advance(TimeSpan.FromMilliseconds(100));
                return call is { IsCompletedSuccessfully: true, Result: 1 };
            },
            "the result");
        Assert.Equal(1, runs);
        Assert.Equal(1, await CallAsync());
    }

    [Theory]
    [InlineData(StoreUnavailableBehavior.Reject)]
    [InlineData(StoreUnavailableBehavior.Execute)]
    public async Task A_record_that_cannot_be_read_is_never_run_over(StoreUnavailableBehavior whenUnavailable)
    {
        await using var functions = new Functions(options => options.DefaultPolicy = new() { WhenStoreUnavailable = whenUnavailable });
        var answer = StoredResponse.Encode(200, null, [], "1"u8.ToArray(), 1024);
        byte[][] records = [[], [9, 9], [0x81, 2, 1, (byte)'1', 0, 0, 0, 0], answer];
        for (var i = 0; i < records.Length; i++)
        {
            var key = $"key-{i}";
            var owner = Guid.NewGuid();
            var storeKey = FunctionIdentity.StoreKeyOf("payouts", key, null);
            var claim = new IdempotencyClaim { Owner = owner, Attempt = 1, Fingerprint = default, Lease = TimeSpan.FromMinutes(1), Retention = TimeSpan.FromHours(1) };
            Assert.True((await functions.Store.Inner.ClaimAsync(storeKey, claim, CancellationToken.None)).IsAcquired);
            Assert.True(await functions.Store.Inner.CompleteAsync(storeKey, owner, records[i], TimeSpan.FromHours(1), CancellationToken.None));
            for (var j = 0; j < 2; j++)
            {
                var unreadable = await Assert.ThrowsAsync<IdempotencyStoreUnavailableException>(() => functions.Executor.ExecuteAsync("payouts", key, Never<int>));
                Assert.Null(unreadable.RetryAfter);
                await Assert.ThrowsAsync<IdempotencyStoreUnavailableException>(() => functions.Executor.ExecuteAsync("payouts", key, Never));
            }
        }

        Assert.Equal(4 * records.Length, functions.Logs.Count("RecordUnreadable"));

        functions.Store.Before = operation => operation == "claim" ? throw new IdempotencyRecordUnreadableException("damaged") : Task.CompletedTask;
        var thrown = await Assert.ThrowsAsync<IdempotencyStoreUnavailableException>(() => functions.Executor.ExecuteAsync("payouts", "key-x", Never<int>));
        Assert.Null(thrown.RetryAfter);
        Assert.IsType<IdempotencyRecordUnreadableException>(thrown.InnerException);
    }

    // When the result cannot be kept, or not be given.

    [Theory]
    [InlineData(10, int.MaxValue)]
    [InlineData(1024 * 1024, 50)]
    public async Task A_result_that_is_too_large_is_told_once_and_the_work_never_runs_again(int policyAllows, int storeAllows)
    {
        await using var functions = new Functions(options => options.DefaultPolicy = new() { MaxResponseBodySize = policyAllows });
        functions.Store.MaxPayloadSize = storeAllows;
        functions.Store.CompressionThreshold = int.MaxValue;
        var large = new string('x', 100);
        Assert.Equal(large, await functions.Executor.ExecuteAsync("reports", "key-1", (_, _) => Task.FromResult(large)));
        Assert.Equal(1, functions.Logs.Count("ResultTooLarge"));
        var gone = await Assert.ThrowsAsync<IdempotencyResultUnavailableException>(() => functions.Executor.ExecuteAsync("reports", "key-1", Never<string>));
        Assert.Null(gone.RetryAfter);
        await functions.Executor.ExecuteAsync("reports", "key-1", Never); // who asks for no result misses none
    }

    [Fact]
    public async Task A_result_that_cannot_be_written_is_told_once_and_the_work_never_runs_again()
    {
        await using var functions = new Functions();
        var cycle = new Dictionary<string, object>();
        cycle["itself"] = cycle;
        Assert.Same(cycle, await functions.Executor.ExecuteAsync("reports", "key-1", (_, _) => Task.FromResult(cycle)));
        Assert.Equal(LogLevel.Error, Assert.Single(functions.Logs.Entries, entry => entry.Event == "ResultNotSerialized").Level);
        await Assert.ThrowsAsync<IdempotencyResultUnavailableException>(() => functions.Executor.ExecuteAsync("reports", "key-1", Never<Dictionary<string, object>>));
    }

    [Fact]
    public async Task A_type_without_metadata_is_told_of_before_anything_runs()
    {
        await using var functions = new Functions();
        var options = new IdempotentCallOptions { SerializerOptions = new JsonSerializerOptions { TypeInfoResolver = FunctionJson.Default } };
        await Assert.ThrowsAsync<NotSupportedException>(() => functions.Executor.ExecuteAsync("reports", "key-1", Never<Version>, options));
        Assert.Equal(0, functions.Store.AllCalls);
    }

    [Fact]
    public async Task A_result_of_another_type_than_is_asked_for_is_unavailable_and_nothing_runs()
    {
        await using var functions = new Functions();
        await functions.Executor.ExecuteAsync("operation", "text", (_, _) => Task.FromResult("text"));
        await functions.Executor.ExecuteAsync("operation", "null", (_, _) => Task.FromResult<string?>(null));
        await functions.Executor.ExecuteAsync("operation", "nothing", (_, _) => Task.CompletedTask);
        var changed = await Assert.ThrowsAsync<IdempotencyResultUnavailableException>(() => functions.Executor.ExecuteAsync("operation", "text", Never<int>));
        Assert.IsType<JsonException>(changed.InnerException);
        await Assert.ThrowsAsync<IdempotencyResultUnavailableException>(() => functions.Executor.ExecuteAsync("operation", "null", Never<int>));
        await Assert.ThrowsAsync<IdempotencyResultUnavailableException>(() => functions.Executor.ExecuteAsync("operation", "nothing", Never<int>));
        Assert.Equal("text", await functions.Executor.ExecuteAsync("operation", "text", Never<string>));
    }

    // What operators see.

    [Fact]
    public async Task Every_call_is_counted_by_its_operation_and_outcome()
    {
        await using var functions = new Functions(options => options.AddPolicy("available", new IdempotencyPolicy { WhenStoreUnavailable = StoreUnavailableBehavior.Execute }));
        functions.Services.GetRequiredService<Telemetry>();
        using var calls = new MetricCollector<long>(functions.Services.GetRequiredService<IMeterFactory>(), "Idempotency.AspNetCore", "idempotency.calls");
        async Task CallAsync(string key, Func<Task<int>> work, IdempotentCallOptions? options = null)
        {
            try
            {
                await functions.Executor.ExecuteAsync("payouts", key, (_, _) => work(), options);
            }
            catch (Exception exception) when (exception is IdempotencyException or IOException)
            {
            }
        }

        await CallAsync("key-1", () => throw new IOException("the bank is away"));
        await CallAsync("key-1", async () =>
        {
            await CallAsync("key-1", () => Task.FromResult(0));
            return 1;
        });
        await CallAsync("key-1", () => Task.FromResult(0));
        await CallAsync("key-1", () => Task.FromResult(0), new() { Payload = IdempotentPayload.Of(1) });
        await functions.Executor.ExecuteAsync("payouts", "key-2", (_, _) => Task.CompletedTask);
        await CallAsync("key-2", () => Task.FromResult(0));
        functions.Store.Before = _ => throw new IOException("away");
        await CallAsync("key-3", () => Task.FromResult(0));
        await CallAsync("key-3", () => Task.FromResult(0), new() { PolicyName = "available" });
        Assert.Equal(
            ["failed", "idempotency-request-in-progress", "executed", "replayed", "idempotency-key-reused", "executed", "idempotency-response-unavailable", "idempotency-store-unavailable", "unprotected"],
            Tags("idempotency.outcome"));
        Assert.All(Tags("idempotency.operation"), operation => Assert.Equal("payouts", operation));

        IEnumerable<string?> Tags(string name) => calls.GetMeasurementSnapshot().Select(measured => (string?)measured.Tags[name]);
    }

    [Fact]
    public async Task Results_are_encrypted_where_responses_are()
    {
        static Action<IIdempotencyBuilder> With(IDataProtectionProvider keys) => idempotency => idempotency.ProtectResponses().Services.AddSingleton(keys);
        var keys = new EphemeralDataProtectionProvider();
        await using var functions = new Functions(configure: With(keys));
        await functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult("a secret"));
        var record = await functions.Store.Inner.ReadAsync(functions.Store.LastKey, CancellationToken.None);
        Assert.Equal(-1, record!.Payload.Span.IndexOf("secret"u8));
        await using var colleague = new Functions(other: functions, configure: With(keys));
        Assert.Equal("a secret", await colleague.Executor.ExecuteAsync("payouts", "key-1", Never<string>));
        await using var stranger = new Functions(other: functions, configure: With(new EphemeralDataProtectionProvider()));
        await Assert.ThrowsAsync<IdempotencyStoreUnavailableException>(() => stranger.Executor.ExecuteAsync("payouts", "key-1", Never<string>));
    }

    // Taking it in.

    [Fact]
    public async Task The_policy_is_found_by_name_or_the_name_is_told()
    {
        await using var functions = new Functions(options => options.AddPolicy("short", new IdempotencyPolicy { Retention = TimeSpan.FromMinutes(1) }));
        var unknown = await Assert.ThrowsAsync<InvalidOperationException>(() => functions.Executor.ExecuteAsync("payouts", "key-1", Never, new IdempotentCallOptions { PolicyName = "shrot" }));
        Assert.Equal("The operation 'payouts' names the policy 'shrot', which is not registered. The registered policies are 'short'. Add it with options.AddPolicy(\"shrot\", new IdempotencyPolicy { ... }).", unknown.Message);
        var options = new IdempotentCallOptions { PolicyName = "short" };
        await functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(1), options);
        functions.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(2, await functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(2), options));
    }

    [Fact]
    public async Task Switched_off_it_runs_the_work_and_asks_no_store()
    {
        await using var functions = new Functions(options => options.Enabled = false);
        var runs = 0;
        for (var i = 1; i <= 3; i++)
        {
            Assert.Equal(i, await functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(++runs)));
        }

        Assert.Equal(0, functions.Store.AllCalls);
    }

    [Fact]
    public async Task It_works_in_a_host_without_HTTP()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddIdempotency();
        builder.Services.AddSingleton<Worker>();
        builder.Services.AddHostedService(services => services.GetRequiredService<Worker>());
        using var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        Assert.Equal([1, 1, 1], await host.Services.GetRequiredService<Worker>().Done.Task.WaitAsync(TimeSpan.FromSeconds(30)));
        await host.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task It_needs_no_services_but_its_own()
    {
        var services = new ServiceCollection();
        services.AddIdempotency();
        await using var provider = services.BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });
        Assert.Equal(1, await provider.GetRequiredService<IIdempotentExecutor>().ExecuteAsync("operation", "key-1", (_, _) => Task.FromResult(1)));
    }

    [Fact]
    public async Task The_log_never_has_the_key()
    {
        await using var functions = new Functions();
        await functions.Executor.ExecuteAsync("payouts", "key-1", (_, _) => Task.FromResult(1));
        await functions.Executor.ExecuteAsync("payouts", "key-1", Never<int>);
        functions.Store.Before = _ => throw new IOException("away");
        var away = await Assert.ThrowsAsync<IdempotencyStoreUnavailableException>(() => functions.Executor.ExecuteAsync("payouts", "key-11", Never<int>));
        Assert.DoesNotContain("key-1", away.ToString(), StringComparison.Ordinal);
        Assert.NotEmpty(functions.Logs.Entries);
        Assert.DoesNotContain(functions.Logs.Entries, entry => entry.Text.Contains("key-1", StringComparison.Ordinal));
        Assert.DoesNotContain("key-1", ((IdempotentCallKey)"key-1").ToString(), StringComparison.Ordinal);
    }

    private sealed class Worker(IIdempotentExecutor executor) : BackgroundService
    {
        public TaskCompletionSource<List<int>> Done { get; } = new();

        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            var results = new List<int>();
            var runs = 0;
            for (var i = 0; i < 3; i++)
            {
                results.Add(await executor.ExecuteAsync("operation", "key-1", (_, _) => Task.FromResult(++runs), cancellationToken: stoppingToken));
            }

            Done.SetResult(results);
        }
    }
}
