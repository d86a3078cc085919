using Microsoft.CodeAnalysis.Testing;

namespace Idempotency.AspNetCore.Analyzers.Tests;

/// <summary>IDEM004: the task of a step or a mark is dropped.</summary>
public sealed class UnawaitedRunTests
{
    private static string InHandler(string body) => $$"""
        #pragma warning disable CS4014
        public static class Endpoints
        {
            public static async Task<int> Pay(IIdempotentRun run, IIdempotencyFeature feature, Func<CancellationToken, Task<int>> charge, Func<CancellationToken, Task> send)
            {
                {{body}}
                await Task.Yield();
                return 1;
            }
        }
        """;

    [Theory]
    [InlineData("run.{|IDEM004:MarkEffectsStartedAsync|}();", "await run.MarkEffectsStartedAsync();")]
    [InlineData("feature.{|IDEM004:MarkEffectsStartedAsync|}();", "await feature.MarkEffectsStartedAsync();")]
    [InlineData("run.{|IDEM004:StepAsync|}(\"charge\", charge);", "await run.StepAsync(\"charge\", charge);")]
    [InlineData("_ = run.{|IDEM004:StepAsync|}(\"charge\", charge); // note", "await run.StepAsync(\"charge\", charge); // note")]
    [InlineData("_ = run.{|IDEM004:StepAsync|}(\"send\", send).ConfigureAwait(false);", "await run.StepAsync(\"send\", send).ConfigureAwait(false);")]
    [InlineData("var sent = run.{|IDEM004:StepAsync|}(\"send\", send);", "await run.StepAsync(\"send\", send);")]
    [InlineData("Task sent; sent = run.{|IDEM004:StepAsync|}(\"send\", send);", "Task sent; await run.StepAsync(\"send\", send);")]
    public Task What_is_dropped_is_awaited(string dropped, string awaited) => Verify.FixAsync<UnawaitedRunAnalyzer, AwaitCodeFix>(InHandler(dropped), InHandler(awaited));

    [Fact]
    public Task Several_that_are_dropped_together_are_awaited_together() => Verify.FixAsync<UnawaitedRunAnalyzer, AwaitCodeFix>(
        InHandler("Task.WhenAll(run.{|IDEM004:StepAsync|}(\"a\", send), Task.CompletedTask);"),
        InHandler("await Task.WhenAll(run.StepAsync(\"a\", send), Task.CompletedTask);"));

    [Theory]
    [InlineData("feature?.{|IDEM004:MarkEffectsStartedAsync|}();")]
    [InlineData("_ = feature?.{|IDEM004:MarkEffectsStartedAsync|}() ?? Task.CompletedTask;")]
    [InlineData("Action later = () => run.{|IDEM004:StepAsync|}(\"send\", send); later();")]
    [InlineData("Task sent; sent = null; void Send() { run.{|IDEM004:StepAsync|}(\"send\", send); } Send();")]
    public Task What_is_dropped_where_await_is_not_obvious_is_only_reported(string dropped) => Verify.FixAsync<UnawaitedRunAnalyzer, AwaitCodeFix>(InHandler(dropped), InHandler(dropped));

    [Theory]
    [InlineData("await run.MarkEffectsStartedAsync();")]
    [InlineData("var charged = await run.StepAsync(\"charge\", charge).ConfigureAwait(false);")]
    [InlineData("await Task.WhenAll(run.StepAsync(\"a\", send), run.StepAsync(\"b\", send));")]
    [InlineData("Task[] both = [run.StepAsync(\"a\", send), run.StepAsync(\"b\", send)]; await Task.WhenAll(both);")]
    [InlineData("var sent = run.StepAsync(\"send\", send); var charged = await run.StepAsync(\"charge\", charge); await sent;")]
    [InlineData("Task sent = null; sent = run.StepAsync(\"send\", send); await sent;")]
    [InlineData("Func<Task> later = () => run.StepAsync(\"send\", send); await later();")]
    [InlineData("Task Send() => run.StepAsync(\"send\", send); await Send();")]
    [InlineData("var tasks = new List<Task>(); tasks.Add(run.StepAsync(\"send\", send)); await Task.WhenAll(tasks);")]
    [InlineData("await (feature?.MarkEffectsStartedAsync() ?? Task.CompletedTask);")]
    [InlineData("var charged = run.StepAsync(\"charge\", charge).GetAwaiter().GetResult();")]
    [InlineData("if (run.TookOver) { return await run.StepAsync(\"charge\", charge); }")]
    [InlineData("_ = run.DownstreamKey(\"charge\");")]
    public Task What_is_awaited_or_handed_on_is_left_alone(string body) => Verify.AnalyzerAsync<UnawaitedRunAnalyzer>(InHandler(body));

    [Fact]
    public Task A_method_of_the_same_name_elsewhere_is_another() => Verify.AnalyzerAsync<UnawaitedRunAnalyzer>("""
        public class Saga
        {
            public Task StepAsync(string name) => Task.CompletedTask;

            public void Run() => StepAsync("a");
        }
        """);

    [Fact]
    public Task Code_that_does_not_compile_yet_is_no_error_of_the_analyzer() => Verify.AnalyzerAsync<UnawaitedRunAnalyzer>(
        InHandler("run.StepAsync(\"a\", ; _ = run.{|IDEM004:MarkEffectsStartedAsync|}(; var x = run.StepAsync(\"b\", send"),
        compiler: CompilerDiagnostics.None);
}
