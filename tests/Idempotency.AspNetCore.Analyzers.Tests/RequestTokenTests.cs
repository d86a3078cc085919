using Microsoft.CodeAnalysis.Testing;

namespace Idempotency.AspNetCore.Analyzers.Tests;

/// <summary>IDEM005: the token of a request or a connection reaches work that must finish.</summary>
public sealed class RequestTokenTests
{
    private static string InHandler(string body) => $$"""
        public class Bank
        {
            public Task<int> PayAsync(CancellationToken cancellation) => Task.FromResult(1);
        }

        public static class Endpoints
        {
            public static async Task Pay(HttpContext context, IIdempotentRun run, IIdempotentExecutor executor, Bank bank, CancellationToken stopping)
            {
                {{body}}
            }
        }
        """;

    [Theory]
    [InlineData("await run.MarkEffectsStartedAsync({|IDEM005:context.RequestAborted|});", "await run.MarkEffectsStartedAsync(CancellationToken.None);")]
    [InlineData(
        "await run.StepAsync(\"charge\", bank.PayAsync, cancellationToken: {|IDEM005:context.RequestAborted|});",
        "await run.StepAsync(\"charge\", bank.PayAsync, cancellationToken: CancellationToken.None);")]
    [InlineData(
        "await run.StepAsync(\"charge\", cancel => bank.PayAsync({|IDEM005:context.RequestAborted|}));",
        "await run.StepAsync(\"charge\", cancel => bank.PayAsync(cancel));")]
    [InlineData(
        "await run.StepAsync(\"charge\", async _ => { await Task.Yield(); return await bank.PayAsync({|IDEM005:context.RequestAborted|}); });",
        "await run.StepAsync(\"charge\", async _ => { await Task.Yield(); return await bank.PayAsync(CancellationToken.None); });")]
    [InlineData(
        "await executor.ExecuteAsync(\"payouts\", \"key\", (run, cancel) => bank.PayAsync({|IDEM005:context.RequestAborted|}), null, {|IDEM005:context.RequestAborted|});",
        "await executor.ExecuteAsync(\"payouts\", \"key\", (run, cancel) => bank.PayAsync(cancel), null, CancellationToken.None);")]
    [InlineData(
        "await executor.ExecuteBatchAsync(\"payouts\", new[] { 1 }, item => \"key\", (item, run, cancel) => bank.PayAsync(cancel), cancellationToken: {|IDEM005:context.RequestAborted|});",
        "await executor.ExecuteBatchAsync(\"payouts\", new[] { 1 }, item => \"key\", (item, run, cancel) => bank.PayAsync(cancel), cancellationToken: CancellationToken.None);")]
    [InlineData(
        "var aborted = context.RequestAborted; await run.StepAsync(\"charge\", bank.PayAsync, cancellationToken: {|IDEM005:aborted|});",
        "var aborted = context.RequestAborted; await run.StepAsync(\"charge\", bank.PayAsync, cancellationToken: CancellationToken.None);")]
    public Task The_requests_token_is_replaced_by_that_of_the_work_or_none(string body, string mended) => Verify.FixAsync<RequestTokenAnalyzer, RequestTokenCodeFix>(InHandler(body), InHandler(mended));

    [Theory]
    [InlineData("await run.StepAsync(\"charge\", bank.PayAsync, cancellationToken: stopping);")]
    [InlineData("await executor.ExecuteAsync(\"payouts\", \"key\", (run, cancel) => bank.PayAsync(cancel), null, stopping);")]
    [InlineData("await bank.PayAsync(context.RequestAborted);")]
    [InlineData("await run.StepAsync(context.RequestAborted.IsCancellationRequested ? \"a\" : \"b\", bank.PayAsync);")]
    [InlineData("await run.StepAsync(\"charge\", bank.PayAsync, cancellationToken: run.ClaimLost);")]
    [InlineData("var body = await context.Request.ReadFormAsync(context.RequestAborted); await run.MarkEffectsStartedAsync();")]
    public Task Other_tokens_and_other_calls_are_left_alone(string body) => Verify.AnalyzerAsync<RequestTokenAnalyzer>(InHandler(body));

    [Fact]
    public Task For_the_executor_a_handlers_parameter_is_the_requests_token_too() => Verify.AnalyzerAsync<RequestTokenAnalyzer>("""
        public static class Endpoints
        {
            public static void Map(WebApplication app)
            {
                app.MapPost("/a", (IIdempotentExecutor executor, CancellationToken cancellation) => executor.ExecuteAsync("a", "key", (run, cancel) => Task.FromResult(1), null, {|IDEM005:cancellation|}));
                app.MapPost("/b", (IIdempotentRun run, CancellationToken cancellation) => run.StepAsync("a", cancel => Task.FromResult(1), cancellationToken: cancellation));
                app.MapPost("/c", Local);
                Other(null!, default);

                static Task Local(IIdempotentExecutor executor, CancellationToken cancellation) => executor.ExecuteAsync("a", "key", (run, cancel) => Task.FromResult(1), null, {|IDEM005:cancellation|});
                static Task Other(IIdempotentExecutor executor, CancellationToken cancellation) => executor.ExecuteAsync("a", "key", (run, cancel) => Task.FromResult(1), null, cancellation);
            }
        }

        public class PaymentsController(IIdempotentExecutor executor) : ControllerBase
        {
            [HttpPost]
            public Task<int> Pay(CancellationToken cancellation) => executor.ExecuteAsync("a", "key", async (run, cancel) => { await Task.Delay(1, {|IDEM005:cancellation|}); return 1; });

            private Task<int> Helper(CancellationToken cancellation) => executor.ExecuteAsync("a", "key", (run, cancel) => Task.FromResult(1), null, cancellation);
        }

        public class PayModel(IIdempotentExecutor executor) : PageModel
        {
            public Task OnPostAsync(CancellationToken cancellation) => executor.ExecuteAsync("a", "key", (run, cancel) => Task.FromResult(1), null, {|IDEM005:cancellation|});
        }

        public class Worker(IIdempotentExecutor executor) : BackgroundService
        {
            protected override Task ExecuteAsync(CancellationToken stoppingToken) => executor.ExecuteAsync("a", "key", (run, cancel) => Task.FromResult(1), null, stoppingToken);
        }
        """);

    [Fact]
    public Task The_connection_of_a_hub_and_the_call_of_gRPC_are_clients_too() => Verify.AnalyzerAsync<RequestTokenAnalyzer>("""
        namespace Grpc.Core
        {
            public abstract class ServerCallContext
            {
                public CancellationToken CancellationToken => default;
            }
        }

        namespace Shop
        {
            public class Payments(IIdempotentExecutor executor) : Hub
            {
                public Task Pay() => executor.ExecuteAsync("a", "key", (run, cancel) => Task.FromResult(1), null, {|IDEM005:Context.ConnectionAborted|});
            }

            public class Transfers(IIdempotentExecutor executor)
            {
                public Task<int> Transfer(int amount, Grpc.Core.ServerCallContext call) => executor.ExecuteAsync("a", "key", (run, cancel) => Task.FromResult(1), null, {|IDEM005:call.CancellationToken|});
            }
        }
        """);

    [Fact]
    public Task Code_that_does_not_compile_yet_is_no_error_of_the_analyzer() => Verify.AnalyzerAsync<RequestTokenAnalyzer>(
        InHandler("await run.StepAsync(, context.RequestAborted; var t = context.RequestAborted + ; await executor.ExecuteAsync(t, t => t.RequestAborted"),
        compiler: CompilerDiagnostics.None);
}
