using System.Net;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The handler's effects and its record, both or neither: what the engine does with a store that is in the application's own database.</summary>
public sealed class TransactionTests
{
    private static readonly IdempotencyPolicy Same = new() { Transaction = IdempotencyTransaction.SameAsHandler };

    [Fact]
    public async Task An_answer_and_its_effect_are_committed_together_and_replayed()
    {
        await using var api = await StartAsync((BankSession session) =>
        {
            session.Add("payment");
            return "paid";
        });
        using var first = await api.SendAsync();
        Assert.Equal("paid", await first.TextAsync());
        Assert.Equal(["payment"], Rows(api));
        using var again = await api.SendAsync();
        Assert.True(again.IsReplay());
        Assert.Equal("paid", await again.TextAsync());
        Assert.Equal((1, 1), (BankOf(api).Begun, BankOf(api).Disposed));
    }

    [Fact]
    public async Task An_effect_is_not_there_before_its_answer_is_sent_nor_after_it_is_sent_not_there()
    {
        string[] seenByHandler = ["?"];
        await using var api = await StartAsync(async (HttpContext context, BankSession session, Bank bank) =>
        {
            session.Add("payment");
            await context.Response.WriteAsync("paid");
            await context.Response.Body.FlushAsync();
            seenByHandler = [.. bank.Rows];
        });
        using var response = await api.SendAsync();
        Assert.Empty(seenByHandler);
        Assert.Equal(["payment"], Rows(api));
    }

    [Fact]
    public async Task An_exception_rolls_everything_back_and_a_retry_runs()
    {
        var runs = 0;
        await using var api = await StartAsync((BankSession session) =>
        {
            session.Add("payment " + ++runs);
            return runs == 1 ? throw new InvalidOperationException("boom") : "paid";
        });
        await Assert.ThrowsAsync<InvalidOperationException>(() => api.SendAsync());
        Assert.Empty(Rows(api));
        using var retry = await api.SendAsync();
        Assert.Equal("paid", await retry.TextAsync());
        Assert.Equal(["payment 2"], Rows(api));
    }

    [Fact]
    public async Task A_status_that_is_not_stored_rolls_everything_back_and_is_sent()
    {
        await using var api = await StartAsync((BankSession session) =>
        {
            session.Add("payment");
            return Results.Text("later", statusCode: 503);
        });
        using var response = await api.SendAsync();
        Assert.Equal(503, (int)response.StatusCode);
        Assert.Equal("later", await response.TextAsync());
        Assert.Empty(Rows(api));
        Assert.Equal(1, BankOf(api).Disposed);
        Assert.Null(await StoreOf(api).Inner.ReadAsync(StoreOf(api).LastKey, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_stored_refusal_commits_what_the_handler_wrote()
    {
        await using var api = await StartAsync((BankSession session) =>
        {
            session.Add("refused");
            return Results.Text("no funds", statusCode: 402);
        });
        using var first = await api.SendAsync();
        using var again = await api.SendAsync();
        Assert.Equal((402, 402, true), ((int)first.StatusCode, (int)again.StatusCode, again.IsReplay()));
        Assert.Equal(["refused"], Rows(api));
    }

    [Fact]
    public async Task A_claim_that_was_lost_rolls_everything_back_and_the_successors_answer_counts()
    {
        var gate = new Gate();
        var runs = 0;
        await using var api = await StartAsync(async (BankSession session) =>
        {
            var run = Interlocked.Increment(ref runs);
            session.Add("payment " + run);
            if (run == 1)
            {
                await gate.PassAsync();
            }

            return "answer " + run;
        });
        StoreOf(api).Before = operation =>
        {
            if (operation == "renew")
            {
                throw new IOException("away");
            }
        };
        var late = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(TimeSpan.FromSeconds(61)); // nothing renewed it
        using (var successor = await api.SendAsync())
        {
            Assert.Equal("answer 2", await successor.TextAsync());
        }

        gate.Open();
        using var told = await late;
        Assert.Equal("answer 2", await told.TextAsync());
        Assert.True(told.IsReplay());
        Assert.Equal(["payment 2"], Rows(api));
    }

    [Theory]
    [InlineData(0, 1, 503)]
    [InlineData(1, 2, 503)]
    [InlineData(2, 3, 200)]
    public async Task A_conflict_at_the_commit_runs_the_whole_handler_again_as_often_as_the_policy_says(int retries, int runs, int status)
    {
        var ran = 0;
        await using var api = await StartAsync(
            async (HttpContext context, BankSession session) =>
            {
                using var reader = new StreamReader(context.Request.Body);
                session.Add(await reader.ReadToEndAsync() + ++ran);
                context.Response.Headers["X-Run"] = ran.ToString(System.Globalization.CultureInfo.InvariantCulture);
                context.Response.StatusCode = ran == 1 ? 201 : 200; // of an attempt that was undone nothing may be left
                await context.Response.WriteAsync("run " + ran);
            },
            Same with { TransactionRetries = retries });
        StoreOf(api).Commits.Enqueue(BankCommit.Conflict);
        StoreOf(api).Commits.Enqueue(BankCommit.Conflict);
        using var response = await api.SendAsync(json: """{"amount":1}""");
        Assert.Equal(runs, ran);
        Assert.Equal(status, (int)response.StatusCode);
        if (status == 200)
        {
            Assert.Equal("run 3", await response.TextAsync());
            Assert.Equal("3", response.Header("X-Run"));
            Assert.Equal(["""{"amount":1}3"""], Rows(api));
            return;
        }

        await response.AssertProblemAsync(503, "idempotency-transaction-conflict", "same-key");
        Assert.Equal("1", response.Header("Retry-After"));
        Assert.Null(response.Header("X-Run"));
        Assert.Empty(Rows(api));
        StoreOf(api).Commits.Clear();
        using var retry = await api.SendAsync(json: """{"amount":1}""");
        Assert.Equal(200, (int)retry.StatusCode);
        Assert.False(retry.IsReplay());
        Assert.Single(Rows(api));
    }

    [Fact]
    public async Task A_conflict_in_the_handler_counts_as_one_at_the_commit()
    {
        var ran = 0;
        var started = 0;
        await using var api = await StartAsync(
            (HttpContext context, BankSession session) =>
            {
                context.Response.OnStarting(() =>
                {
                    started++;
                    return Task.CompletedTask;
                });
                session.Add("payment");
                return ++ran == 1 ? throw new InvalidOperationException("transient", new BankConflictException()) : "paid";
            },
            Same with { TransactionRetries = 1 });
        using var response = await api.SendAsync();
        Assert.Equal("paid", await response.TextAsync());
        Assert.Equal((2, 1), (ran, started));
        Assert.Equal(["payment"], Rows(api));
        Assert.Equal(1, api.Logs.Count("TransactionConflict"));
    }

    [Fact]
    public async Task A_body_that_can_be_read_again_is_where_it_was_when_the_handler_runs_again()
    {
        var bodies = new List<string>();
        await using var api = await StartAsync(
            async (HttpContext context, BankSession session) =>
            {
                bodies.Add(await new StreamReader(context.Request.Body).ReadToEndAsync());
                return "x";
            },
            Same with { TransactionRetries = 1 },
            outer: app => app.Use((context, next) =>
            {
                context.Request.EnableBuffering();
                return next(context);
            }));
        StoreOf(api).Commits.Enqueue(BankCommit.Conflict);
        using var response = await api.SendAsync(json: "[1]");
        Assert.Equal(["[1]", "[1]"], bodies);
    }

    [Fact]
    public async Task A_commit_whose_reply_was_lost_is_told_as_the_success_it_is()
    {
        await using var api = await StartAsync((BankSession session) =>
        {
            session.Add("payment");
            return "paid";
        });
        StoreOf(api).Commits.Enqueue(BankCommit.FailedAfter);
        using var response = await api.SendAsync();
        Assert.Equal("paid", await response.TextAsync());
        Assert.Null(response.Header("Idempotency-Stored"));
        Assert.Equal(["payment"], Rows(api));
        using var again = await api.SendAsync();
        Assert.True(again.IsReplay());
    }

    [Fact]
    public async Task A_commit_that_failed_is_told_as_nothing_done_and_a_retry_runs()
    {
        var ran = 0;
        await using var api = await StartAsync((BankSession session) =>
        {
            session.Add("payment " + ++ran);
            return "paid";
        });
        StoreOf(api).Commits.Enqueue(BankCommit.FailedBefore);
        using var response = await api.SendAsync();
        await response.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        Assert.Empty(Rows(api));
        using var retry = await api.SendAsync();
        Assert.Equal("paid", await retry.TextAsync());
        Assert.Equal(["payment 2"], Rows(api));
    }

    [Fact]
    public async Task A_commit_of_which_nothing_can_be_learnt_is_told_as_that_and_the_key_tells_later()
    {
        await using var api = await StartAsync((BankSession session) =>
        {
            session.Add("payment");
            return "paid";
        });
        var isAway = false;
        StoreOf(api).Commits.Enqueue(BankCommit.FailedAfter);
        StoreOf(api).Before = operation =>
        {
            if (operation == "claim")
            {
                isAway = true;
            }
            else if (isAway)
            {
                throw new IOException("away");
            }
        };
        var sent = api.SendAsync();
        await api.Time.PassUntilDoneAsync(sent, "the answer");
        using var response = await sent;
        await response.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        StoreOf(api).Before = null;
        using var later = await api.SendAsync();
        Assert.True(later.IsReplay());
        Assert.Equal("paid", await later.TextAsync());
        Assert.Equal(["payment"], Rows(api));
    }

    [Fact]
    public async Task A_database_that_is_away_when_the_handler_would_begin_is_told_as_nothing_done()
    {
        var ran = 0;
        await using var api = await StartAsync((BankSession session) => "run " + ++ran);
        StoreOf(api).BeforeBegin = () => throw new InvalidOperationException("transient", new IOException("away"));
        using (var response = await api.SendAsync())
        {
            await response.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        }

        StoreOf(api).BeforeBegin = null;
        using var retry = await api.SendAsync();
        Assert.Equal("run 1", await retry.TextAsync());
    }

    [Fact]
    public async Task A_unit_of_work_that_cannot_take_part_is_an_error_and_the_key_is_free()
    {
        await using var api = await StartAsync((BankSession session) => "x");
        StoreOf(api).BeforeBegin = () => throw new InvalidOperationException("A transaction is under way.");
        await Assert.ThrowsAsync<InvalidOperationException>(() => api.SendAsync());
        StoreOf(api).BeforeBegin = null;
        using var retry = await api.SendAsync();
        Assert.Equal(HttpStatusCode.OK, retry.StatusCode);
    }

    [Fact]
    public async Task A_handler_that_ended_the_transaction_itself_is_an_error_and_is_never_run_again()
    {
        var ran = 0;
        await using var api = await StartAsync((BankSession session) => "run " + ++ran);
        StoreOf(api).Commits.Enqueue(BankCommit.EndedByHandler);
        await Assert.ThrowsAsync<InvalidOperationException>(() => api.SendAsync());
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        Assert.Equal(1, ran);
    }

    [Fact]
    public async Task Effects_outside_that_have_begun_are_not_had_again_after_a_conflict()
    {
        var ran = 0;
        await using var api = await StartAsync(
            async (HttpContext context, BankSession session) =>
            {
                ran++;
                await context.Features.Get<IIdempotencyFeature>()!.MarkEffectsStartedAsync();
                return "x";
            },
            Same with { TransactionRetries = 3 });
        StoreOf(api).Commits.Enqueue(BankCommit.Conflict);
        using var response = await api.SendAsync();
        await response.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-outcome-unknown", "no");
        Assert.Equal(1, ran);
    }

    [Fact]
    public async Task Where_there_is_one_writer_effects_outside_cannot_be_marked_and_nothing_is_renewed()
    {
        var gate = new Gate();
        var renewals = 0;
        await using var api = await StartAsync(async (HttpContext context, BankSession session) =>
        {
            session.Add("payment");
            await gate.PassAsync();
            await context.Features.Get<IIdempotencyFeature>()!.MarkEffectsStartedAsync();
            return "x";
        });
        StoreOf(api).AllowsOtherWriters = false;
        StoreOf(api).Before = operation => renewals += operation == "renew" ? 1 : 0;
        var sent = api.SendAsync();
        await gate.ArrivedAsync();
        api.Time.Advance(TimeSpan.FromMinutes(5));
        gate.Open();
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => sent);
        Assert.Contains("SQLite", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, renewals);
        Assert.Empty(Rows(api));
    }

    [Fact]
    public async Task An_answer_over_the_limit_is_held_until_the_commit_and_sent_in_full()
    {
        var body = new string('x', 300_000);
        await using var api = await StartAsync(
            async (HttpContext context, BankSession session) =>
            {
                session.Add("export");
                for (var i = 0; i < 10; i++)
                {
                    await context.Response.WriteAsync(body);
                    await context.Response.Body.FlushAsync();
                }
            },
            Same with { MaxResponseBodySize = 1000 });
        using var first = await api.SendAsync();
        Assert.Equal(3_000_000, (await first.TextAsync()).Length);
        Assert.Equal(["export"], Rows(api));
        using var again = await api.SendAsync();
        await again.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
    }

    [Fact]
    public async Task An_answer_over_the_limit_whose_commit_fails_is_not_sent_at_all()
    {
        await using var api = await StartAsync(
            async (HttpContext context, BankSession session) =>
            {
                session.Add("export");
                await context.Response.WriteAsync(new string('x', 300_000));
                await context.Response.Body.FlushAsync();
            },
            Same with { MaxResponseBodySize = 1000 });
        StoreOf(api).Commits.Enqueue(BankCommit.FailedBefore);
        using var first = await api.SendAsync();
        await first.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        Assert.Empty(Rows(api));
    }

    [Fact]
    public async Task A_handler_that_streams_by_intent_is_an_error_that_says_so()
    {
        await using var api = await StartAsync(async (HttpContext context, BankSession session) =>
        {
            session.Add("x");
            context.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
            await context.Response.WriteAsync("data: 1\n\n");
        });
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => api.SendAsync());
        Assert.Contains("sets Transaction to SameAsHandler", error.Message, StringComparison.Ordinal);
        Assert.Empty(Rows(api));
    }

    [Fact]
    public async Task A_store_elsewhere_fails_at_start_up_and_says_which_to_use()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(Same)));
        Assert.Contains("AddEntityFrameworkCoreStore", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Protected_responses_are_protected_in_the_transaction_too()
    {
        await using var api = await StartAsync((BankSession session) => "paid", services: services => services.AddIdempotency().ProtectResponses());
        using var first = await api.SendAsync();
        var record = await StoreOf(api).Inner.ReadAsync(StoreOf(api).LastKey, TestContext.Current.CancellationToken);
        Assert.DoesNotContain("paid", System.Text.Encoding.Latin1.GetString(record!.Payload.Span), StringComparison.Ordinal);
        using var again = await api.SendAsync();
        Assert.Equal("paid", await again.TextAsync());
    }

    [Fact]
    public async Task A_function_runs_in_the_transaction_of_the_scope_it_is_given()
    {
        await using var functions = StartFunctions();
        var ran = 0;
        for (var i = 0; i < 2; i++)
        {
            await using var scope = functions.Services.CreateAsyncScope();
            var result = await functions.Executor.ExecuteAsync("pay", "key-1", (_, _) => Task.FromResult(Pay(scope, ++ran)), new() { Services = scope.ServiceProvider });
            Assert.Equal(1, result);
        }

        Assert.Equal(["payment 1"], Rows(functions));
    }

    [Fact]
    public async Task A_function_that_throws_is_rolled_back()
    {
        await using var functions = StartFunctions();
        await using var scope = functions.Services.CreateAsyncScope();
        await Assert.ThrowsAsync<IOException>(() => functions.Executor.ExecuteAsync<int>("pay", "key-1", (_, _) => Pay(scope, 1) == 1 ? throw new IOException() : Task.FromResult(0), new() { Services = scope.ServiceProvider }));
        Assert.Empty(Rows(functions));
        await functions.Executor.ExecuteAsync("pay", "key-1", (_, _) => Task.FromResult(Pay(scope, 2)), new() { Services = scope.ServiceProvider });
        Assert.Equal(["payment 2"], Rows(functions));
    }

    [Fact]
    public async Task A_function_in_conflict_runs_again_as_often_as_the_policy_says_and_then_says_so()
    {
        await using var functions = StartFunctions(1);
        await using var scope = functions.Services.CreateAsyncScope();
        var store = (BankStore)functions.Services.GetRequiredService<IIdempotencyStore>();
        for (var i = 0; i < 3; i++)
        {
            store.Commits.Enqueue(BankCommit.Conflict);
        }

        var ran = 0;
        var options = new IdempotentCallOptions { Services = scope.ServiceProvider };
        var conflict = await Assert.ThrowsAsync<IdempotencyTransactionConflictException>(() => functions.Executor.ExecuteAsync("pay", "key-1", (_, _) => Task.FromResult(Pay(scope, ++ran)), options));
        Assert.NotNull(conflict.RetryAfter);
        Assert.Equal(2, ran);
        Assert.Equal(4, await functions.Executor.ExecuteAsync("pay", "key-1", (_, _) => Task.FromResult(Pay(scope, ++ran)), options));
        Assert.Equal(["payment 4"], Rows(functions));
    }

    [Fact]
    public async Task A_function_whose_commit_failed_says_that_nothing_was_done()
    {
        await using var functions = StartFunctions();
        await using var scope = functions.Services.CreateAsyncScope();
        ((BankStore)functions.Services.GetRequiredService<IIdempotencyStore>()).Commits.Enqueue(BankCommit.FailedBefore);
        await Assert.ThrowsAsync<IdempotencyStoreUnavailableException>(() => functions.Executor.ExecuteAsync("pay", "key-1", (_, _) => Task.FromResult(Pay(scope, 1)), new() { Services = scope.ServiceProvider }));
        Assert.Empty(Rows(functions));
    }

    [Fact]
    public async Task A_function_without_a_scope_is_an_error_that_names_the_option()
    {
        await using var functions = StartFunctions();
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => functions.Executor.ExecuteAsync("pay", "key-1", (_, _) => Task.FromResult(1)));
        Assert.Contains("IdempotentCallOptions.Services", error.Message, StringComparison.Ordinal);
    }

    private static int Pay(AsyncServiceScope scope, int run)
    {
        scope.ServiceProvider.GetRequiredService<BankSession>().Add("payment " + run);
        return run;
    }

    private static Functions StartFunctions(int retries = 0) => new(
        options => options.DefaultPolicy = Same with { TransactionRetries = retries },
        configure: idempotency =>
        {
            idempotency.Services.AddSingleton<Bank>().AddScoped<BankSession>();
            idempotency.AddStore<BankStore>();
        });

    private static Task<Api> StartAsync(Delegate handler, IdempotencyPolicy? policy = null, Action<WebApplication>? outer = null, Action<IServiceCollection>? services = null) => Api.StartAsync(
        app => app.MapPost("/", handler).WithIdempotency(policy ?? Same),
        services: all =>
        {
            all.AddSingleton<Bank>().AddScoped<BankSession>();
            all.AddIdempotency().AddStore<BankStore>();
            services?.Invoke(all);
        },
        outer: outer);

    private static Bank BankOf(Api api) => api.Services.GetRequiredService<Bank>();

    private static BankStore StoreOf(Api api) => (BankStore)api.Services.GetRequiredService<IIdempotencyStore>();

    private static string[] Rows(Api api) => [.. BankOf(api).Rows];

    private static string[] Rows(Functions functions) => [.. functions.Services.GetRequiredService<Bank>().Rows];
}
