using Microsoft.CodeAnalysis.Testing;

namespace Idempotency.AspNetCore.Analyzers.Tests;

/// <summary>IDEM002 and IDEM003: the attribute is where it has no effect, and the endpoint takes only methods that the policy does not cover.</summary>
public sealed class MarkTests
{
    [Fact]
    public Task On_a_handler_of_a_Razor_page_it_is_moved_to_the_model() => Verify.FixAsync<MarkAnalyzer, MarkCodeFix>(
        """
        public class CheckoutModel : PageModel
        {
            [{|IDEM002:Idempotent("payments")|}]
            public void OnPost()
            {
            }

            public void OnGet()
            {
            }
        }
        """,
        """
        [Idempotent("payments")]
        public class CheckoutModel : PageModel
        {
            public void OnPost()
            {
            }

            public void OnGet()
            {
            }
        }
        """);

    [Fact]
    public Task On_a_hub_and_its_methods_it_is_removed() => Verify.FixAsync<MarkAnalyzer, MarkCodeFix>(
        """
        [{|IDEM002:Idempotent|}]
        public class Payments : Hub
        {
            /// <summary>Pays.</summary>
            [{|IDEM002:Idempotent|}]
            public Task Pay() => Task.CompletedTask;

            [{|IDEM002:DisableIdempotency|}]
            [System.ComponentModel.Description("x")]
            public Task Other() => Task.CompletedTask;
        }
        """,
        """
        public class Payments : Hub
        {
            /// <summary>Pays.</summary>
            public Task Pay() => Task.CompletedTask;

            [System.ComponentModel.Description("x")]
            public Task Other() => Task.CompletedTask;
        }
        """);

    [Fact]
    public Task On_a_method_of_a_controller_that_is_no_action() => Verify.AnalyzerAsync<MarkAnalyzer>("""
        public class PaymentsController : ControllerBase
        {
            [{|IDEM002:Idempotent|}]
            private int Charge() => 1;

            [{|IDEM002:Idempotent|}]
            protected virtual int Book() => 1;

            [{|IDEM002:Idempotent|}]
            public static int Static() => 1;

            [{|IDEM002:Idempotent|}]
            public T Generic<T>(T value) => value;

            [NonAction, {|IDEM002:Idempotent|}]
            public int NoAction() => 1;

            [{|IDEM002:DisableIdempotency|}]
            internal int Internal() => 1;

            [Idempotent]
            public int Action() => Charge() + Book();
        }

        public abstract class Base : ControllerBase
        {
            [Idempotent, HttpPost]
            public abstract int Pay();
        }

        public class PlainController
        {
            [{|IDEM002:Idempotent|}]
            int Helper() => 1;
        }

        [NonController]
        public class NoController
        {
            [Idempotent]
            int Helper() => 1;
        }
        """);

    [Fact]
    public Task A_direct_call_of_a_marked_method_is_not_protected() => Verify.AnalyzerAsync<MarkAnalyzer>("""
        public class PaymentService
        {
            [Idempotent]
            public Task<int> ChargeAsync(int amount) => Task.FromResult(amount);

            public Task<int> PayAsync() => {|IDEM002:ChargeAsync|}(1);

            public Task<int> OtherAsync(PaymentService other) => other.{|IDEM002:ChargeAsync|}(1);
        }

        public static class Handlers
        {
            [Idempotent]
            public static int Pay() => 1;

            public static void Map(WebApplication app) => app.MapPost("/", Pay);
        }

        public class PaymentsController : ControllerBase
        {
            [Idempotent, HttpPost("/a")]
            public int Pay() => 1;

            [Idempotent, HttpPost("/b")]
            public int PayAgain() => Pay();
        }
        """);

    [Fact]
    public Task On_the_class_around_mapped_handlers_it_is_not_read() => Verify.AnalyzerAsync<MarkAnalyzer>("""
        [Idempotent]
        public static class Payments
        {
            public static void Map(IEndpointRouteBuilder app)
            {
                app.{|IDEM002:MapPost|}("/a", () => 1);
                app.{|IDEM002:MapPost|}("/b", Pay);
                app.MapPost("/c", [Idempotent] () => 1);
                app.MapPost("/d", Refunds.Refund);
            }

            private static int Pay() => 1;
        }

        public static class Refunds
        {
            public static int Refund() => 1;
        }

        [DisableIdempotency]
        public class Outer
        {
            public class Inner
            {
                public static void Map(IEndpointRouteBuilder app) => app.{|IDEM002:MapDelete|}("/e", (string id) => 1);
            }
        }
        """);

    [Fact]
    public Task An_action_that_only_reads_is_not_covered() => Verify.FixAsync<MarkAnalyzer, MarkCodeFix>(
        """
        public class PaymentsController : ControllerBase
        {
            [HttpGet, HttpHead]
            [{|IDEM003:Idempotent|}]
            public int Read() => 1;

            [HttpGet("all"), {|IDEM003:Idempotent|}]
            public int ReadAll() => 1;

            public static void Map(WebApplication app) => app.MapGet("/", [{|IDEM003:Idempotent|}] () => 1);
        }
        """,
        """
        public class PaymentsController : ControllerBase
        {
            [HttpGet, HttpHead]
            public int Read() => 1;

            [HttpGet("all")]
            public int ReadAll() => 1;

            public static void Map(WebApplication app) => app.MapGet("/", () => 1);
        }
        """);

    [Fact]
    public Task What_an_action_takes_is_compared_with_what_its_attribute_lists() => Verify.AnalyzerAsync<MarkAnalyzer>("""
        public class PaymentsController : ControllerBase
        {
            [HttpGet, Idempotent(Methods = new[] { "GET" })]
            public int Listed() => 1;

            [HttpPost, {|IDEM003:Idempotent(Methods = new[] { "PATCH" })|}]
            public int NotListed() => 1;

            [HttpGet, HttpPost, Idempotent]
            public int Both() => 1;

            [HttpGet, Idempotent("reports")]
            public int ByPolicy() => 1;

            [AcceptVerbs("GET", "HEAD"), {|IDEM003:Idempotent|}]
            public int Verbs() => 1;

            [AcceptVerbs("GET", "QUERY"), Idempotent]
            public int OtherVerbs() => 1;

            [Route("any"), Idempotent]
            public int Any() => 1;
        }

        [Idempotent]
        public class ReadingController : ControllerBase
        {
            [HttpGet]
            public int Read() => 1;
        }
        """);

    [Fact]
    public Task Mapped_endpoints_that_only_read_are_not_covered() => Verify.AnalyzerAsync<MarkAnalyzer>("""
        public static class Endpoints
        {
            public static void Map(WebApplication app)
            {
                app.MapGet("/a", () => 1).{|IDEM003:WithIdempotency|}();
                app.MapGet("/b", () => 1).WithName("b").RequireAuthorization().{|IDEM003:WithIdempotency|}();
                app.MapGet("/c", [{|IDEM003:Idempotent|}] () => 1);
                app.MapMethods("/d", new[] { "GET", "head" }, () => 1).{|IDEM003:WithIdempotency|}();
                app.MapMethods("/e", ["GET"], () => 1).{|IDEM003:WithIdempotency|}();

                app.MapPost("/f", () => 1).WithIdempotency();
                app.MapPost("/g", [Idempotent] () => 1);
                app.MapGet("/h", () => 1).WithIdempotency("reports");
                app.MapGet("/i", () => 1).WithIdempotency(new IdempotencyPolicy());
                app.MapMethods("/j", ["GET", "POST"], () => 1).WithIdempotency();
                app.Map("/k", () => 1).WithIdempotency();
                app.MapGroup("/l").WithIdempotency().MapGet("/m", () => 1);
                app.MapGet("/n", [Idempotent(Methods = new[] { "GET" })] () => 1);
                app.MapGet("/o", () => 1).DisableIdempotency();
            }
        }
        """);

    [Theory]
    [InlineData("services.AddIdempotency(options => options.DefaultPolicy = options.DefaultPolicy with { Methods = [\"GET\", \"POST\"] })")]
    [InlineData("services.AddIdempotency(options => options.DefaultPolicy = new IdempotencyPolicy { Methods = new[] { \"GET\" } })")]
    [InlineData("services.AddIdempotency(configuration.GetSection(\"Idempotency\"))")]
    public Task Where_the_default_policy_may_cover_what_reads_start_up_decides(string registration) => Verify.AnalyzerAsync<MarkAnalyzer>($$"""
        public static class Endpoints
        {
            public static void Add(IServiceCollection services, IConfiguration configuration) => {{registration}};

            public static void Map(WebApplication app)
            {
                app.MapGet("/a", () => 1).WithIdempotency();
                app.MapGet("/b", [Idempotent] () => 1);
                app.MapPost("/c", [{|IDEM003:Idempotent(Methods = new[] { "PUT" })|}] () => 1);
            }
        }
        """);

    [Fact]
    public Task Code_that_does_not_compile_yet_is_no_error_of_the_analyzer() => Verify.AnalyzerAsync<MarkAnalyzer>(
        """
        [Idempotent(
        public class PaymentsController : ControllerBase
        {
            [HttpGet, Idempotent(Methods = )]
            public int () => 1;

            [Idempotent("a", )]
            public Missing Read([Idempotent] x) => app.MapGet([Idempotent] => ).WithIdempotency(.
        """,
        compiler: CompilerDiagnostics.None);

    [Fact]
    public Task Generated_code_is_left_alone() => Verify.AnalyzerAsync<MarkAnalyzer>(
        "class Written { }",
        generated: """
        // <auto-generated/>
        public class GeneratedModel : PageModel
        {
            [Idempotent]
            public void OnPost()
            {
            }
        }
        """);
}
