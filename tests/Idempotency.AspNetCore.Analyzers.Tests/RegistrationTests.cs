using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Testing;

namespace Idempotency.AspNetCore.Analyzers.Tests;

/// <summary>IDEM001: an application marks endpoints and never calls <c>AddIdempotency()</c>.</summary>
public sealed class RegistrationTests
{
    private static Task InAnApplicationAsync(string source, string? reference = null, CompilerDiagnostics compiler = CompilerDiagnostics.Errors, string? generated = null) =>
        Verify.AnalyzerAsync<RegistrationAnalyzer>(source, OutputKind.ConsoleApplication, reference, compiler, generated);

    [Fact]
    public Task Every_mark_is_reported_in_an_application_that_never_registers() => InAnApplicationAsync("""
        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddControllers();
        var app = builder.Build();
        app.MapPost("/a", () => 1).{|IDEM001:WithIdempotency|}();
        app.MapPost("/b", () => 1).{|IDEM001:WithIdempotency|}("payments");
        app.MapGroup("/c").{|IDEM001:WithIdempotency|}(new IdempotencyPolicy());
        app.MapPost("/d", [{|IDEM001:Idempotent|}] () => 1);
        app.MapPost("/e", Local);
        app.MapPost("/f", Handlers.Pay);
        app.MapPost("/g", () => 1).DisableIdempotency();
        app.Run();

        [{|IDEM001:Idempotent("payments")|}]
        static int Local() => 1;

        static class Handlers
        {
            [{|IDEM001:Idempotent|}]
            public static int Pay() => 1;
        }

        [{|IDEM001:Idempotent(KeySelector = "body.id")|}]
        public class PaymentsController : ControllerBase
        {
            [HttpPost("/h"), {|IDEM001:Idempotent|}]
            public int Pay() => 1;
        }
        """);

    [Fact]
    public Task An_application_with_a_startup_class_is_one_too() => InAnApplicationAsync("""
        Host.CreateDefaultBuilder(args).ConfigureWebHostDefaults(web => web.UseStartup<Startup>()).Build().Run();

        public class Startup
        {
            public void ConfigureServices(IServiceCollection services) => services.AddRouting();

            public void Configure(IApplicationBuilder app) => app.UseRouting().UseEndpoints(endpoints => endpoints.MapPost("/", () => 1).{|IDEM001:WithIdempotency|}());
        }
        """);

    [Theory]
    [InlineData("builder.Services.AddIdempotency();")]
    [InlineData("builder.Services.AddIdempotency(options => options.Enabled = true).AddInMemoryStore();")]
    [InlineData("builder.Services.AddIdempotency(builder.Configuration.GetSection(\"Idempotency\"));")]
    [InlineData("IdempotencyServiceCollectionExtensions.AddIdempotency(builder.Services);")]
    [InlineData("Func<IServiceCollection, Action<IdempotencyOptions>, IIdempotencyBuilder> add = IdempotencyServiceCollectionExtensions.AddIdempotency; add(builder.Services, null);")]
    [InlineData("Own.AddPayments(builder.Services);")]
    public Task An_application_that_registers_is_left_alone(string registration) => InAnApplicationAsync($$"""
        var builder = WebApplication.CreateBuilder(args);
        {{registration}}
        var app = builder.Build();
        app.UseIdempotency();
        app.MapPost("/", () => 1).WithIdempotency();
        app.Run();

        static class Own
        {
            public static void AddPayments(IServiceCollection services) => {{(registration.StartsWith("Own.", StringComparison.Ordinal) ? "services.AddIdempotency()" : "services.AddRouting()")}};
        }
        """);

    [Fact]
    public Task Another_method_of_the_same_name_is_no_registration() => InAnApplicationAsync("""
        var builder = WebApplication.CreateBuilder(args);
        builder.AddIdempotency();
        var app = builder.Build();
        app.MapPost("/", () => 1).{|IDEM001:WithIdempotency|}();
        app.Run();

        static class Own
        {
            public static void AddIdempotency(this WebApplicationBuilder builder) => builder.Services.AddRouting();
        }
        """);

    [Fact]
    public Task A_class_library_is_registered_by_whoever_uses_it() => Verify.AnalyzerAsync<RegistrationAnalyzer>("""
        public static class Payments
        {
            public static void MapPayments(this WebApplication app) => app.MapPost("/", () => 1).WithIdempotency();

            public static WebApplication Create() => WebApplication.CreateBuilder().Build();
        }
        """);

    [Fact]
    public Task A_program_that_makes_no_web_application_is_none() => InAnApplicationAsync("""
        System.Console.WriteLine(new PaymentsControllerTests());

        public class PaymentsControllerTests
        {
            [Idempotent]
            public int Pay() => 1;
        }
        """);

    [Fact]
    public Task A_referenced_project_that_knows_the_library_may_register_it() => InAnApplicationAsync(
        """
        var builder = WebApplication.CreateBuilder(args);
        builder.AddDefaults();
        var app = builder.Build();
        app.MapPost("/", () => 1).WithIdempotency();
        app.Run();
        """,
        reference: """
        public static class Defaults
        {
            public static void AddDefaults(this IHostApplicationBuilder builder) => builder.Services.AddIdempotency();
        }
        """);

    [Fact]
    public Task A_registration_in_generated_code_counts() => InAnApplicationAsync(
        """
        var builder = WebApplication.CreateBuilder(args);
        Generated.Add(builder.Services);
        var app = builder.Build();
        app.MapPost("/", () => 1).WithIdempotency();
        app.Run();
        """,
        generated: """
        // <auto-generated/>
        public static class Generated
        {
            public static void Add(IServiceCollection services) => services.AddIdempotency();
        }
        """);

    [Theory]
    [InlineData("builder.Services.AddIdempotency(options => options.DefaultPolicy = );")]
    [InlineData("builder.Services.AddIdempotency(\"\", 5);")]
    [InlineData("builder.Servces.AddIdempotency();")]
    public Task A_registration_that_does_not_compile_yet_counts(string registration) => InAnApplicationAsync(
        $$"""
        var builder = WebApplication.CreateBuilder(args);
        {{registration}}
        var app = builder.Build();
        app.MapPost("/", () => 1).WithIdempotency();
        app.MapPost("/", [Idempotent(] () => ).WithIdempotency(
        """,
        compiler: CompilerDiagnostics.None);

    [Fact]
    public Task A_project_without_the_library_is_not_looked_at() => new Microsoft.CodeAnalysis.CSharp.Testing.CSharpCodeFixTest<RegistrationAnalyzer, EmptyCodeFixProvider, DefaultVerifier>
    {
        TestCode = "class Idempotent { }",
        ReferenceAssemblies = new ReferenceAssemblies("net10.0"),
        CompilerDiagnostics = CompilerDiagnostics.None,
    }.RunAsync(TestContext.Current.CancellationToken);
}
