using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.Mvc.ViewFeatures;
using Microsoft.AspNetCore.Razor.Hosting;
using Microsoft.AspNetCore.SignalR;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A mark that would silently do nothing is an error at start-up, which names the fix.</summary>
public sealed class MarkTests
{
    private static async Task<string> FailureAsync(Action<WebApplication> map, Action<IServiceCollection>? services = null) =>
        (await Assert.ThrowsAsync<InvalidOperationException>(() => Api.StartAsync(map, services: services))).Message;

    private static Action<IServiceCollection> Page<TPage>(string path) => services => services.AddRazorPages()
        .ConfigureApplicationPartManager(parts => parts.ApplicationParts.Add(new OnePage(typeof(TPage), path)));

    private static Action<IServiceCollection> Controller<TController>() => services => services.AddControllers().ConfigureApplicationPartManager(parts =>
    {
        parts.ApplicationParts.Clear();
        parts.FeatureProviders.Add(new OneController(typeof(TController)));
    });

    [Fact]
    public async Task On_a_handler_method_of_a_Razor_page()
    {
        var failure = await FailureAsync(app => app.MapRazorPages(), Page<HandlerPage>("/Pages/Handler.cshtml"));
        Assert.Contains("[Idempotent] on HandlerModel.OnPost has no effect", failure, StringComparison.Ordinal);
        Assert.Contains("Apply it to the page model, HandlerModel", failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_method_of_a_Razor_page_cannot_be_taken_out_either()
    {
        var failure = await FailureAsync(app => app.MapRazorPages().WithIdempotency(), Page<DisabledHandlerPage>("/Pages/Handler.cshtml"));
        Assert.Contains("[DisableIdempotency] on DisabledHandlerModel.OnPost has no effect", failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_a_Razor_page_that_has_a_model()
    {
        var failure = await FailureAsync(app => app.MapRazorPages(), Page<MarkedPage>("/Pages/Marked.cshtml"));
        Assert.Contains("[Idempotent] on the Razor page '/Marked' has no effect", failure, StringComparison.Ordinal);
        Assert.Contains("PlainModel", failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_policy_of_a_Razor_page_is_checked_at_start_up_too()
    {
        var failure = await FailureAsync(app => app.MapRazorPages(), Page<UnknownPolicyPage>("/Pages/Unknown.cshtml"));
        Assert.Contains("options.AddPolicy(\"nobody-knows\"", failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_a_hub_method()
    {
        var failure = await FailureAsync(app => app.MapHub<MarkedHub>("/hub"), services => services.AddSignalR());
        Assert.Contains("[Idempotent] on MarkedHub.Pay has no effect", failure, StringComparison.Ordinal);
        Assert.Contains("IIdempotentExecutor", failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_a_hub_class()
    {
        var failure = await FailureAsync(app => app.MapHub<MarkedHubClass>("/hub"), services => services.AddSignalR());
        Assert.Contains("SignalR hub", failure, StringComparison.Ordinal);
        Assert.Contains("IIdempotentExecutor", failure, StringComparison.Ordinal);
    }

    public static TheoryData<string, Action<WebApplication>> Mapped() => new()
    {
        { "a static method", app => app.MapPost("/", MarkedHandlers.Pay) },
        { "a static method that takes the context", app => app.MapPost("/", MarkedHandlers.PayContext) },
        { "a method of an object", app => app.MapPost("/", new MarkedService().Pay) },
        { "a lambda in the class", MarkedHandlers.MapLambda },
        { "a lambda that captures something", app => MarkedHandlers.MapCapture(app, "x") },
    };

    [Theory]
    [MemberData(nameof(Mapped))]
    public async Task On_a_class_whose_methods_are_mapped(string kind, Action<WebApplication> map)
    {
        var failure = await FailureAsync(map);
        Assert.True(failure.Contains("[Idempotent] on the class Marked", StringComparison.Ordinal), kind);
        Assert.Contains(".WithIdempotency()", failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_class_whose_methods_are_mapped_cannot_take_them_out()
    {
        var failure = await FailureAsync(app => app.MapGroup("/g").WithIdempotency().MapPost("/", DisabledHandlers.Pay));
        Assert.Contains("[DisableIdempotency] on the class DisabledHandlers has no effect", failure, StringComparison.Ordinal);
        Assert.Contains(".DisableIdempotency()", failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_takes_part_all_the_same_is_no_error()
    {
        await using var api = await Api.StartAsync(app =>
        {
            app.MapPost("/a", MarkedHandlers.Pay).WithIdempotency();
            app.MapPost("/b", MarkedHandlers.Pay).DisableIdempotency();
            app.MapPost("/c", MarkedHandlers.Marked);
            app.MapPost("/d", DisabledHandlers.Pay);
        });
        using var first = await api.SendAsync("/c");
        using var replay = await api.SendAsync("/c");
        Assert.True(replay.IsReplay());
    }

    [Fact]
    public async Task On_a_method_of_a_controller_that_is_no_action()
    {
        var failure = await FailureAsync(app => app.MapControllers(), Controller<NoActionsController>());
        foreach (var method in new[] { "Helper", "Static", "Hidden" })
        {
            Assert.Contains($"[Idempotent] on NoActionsController.{method} has no effect", failure, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("NoActionsController.Action ", failure, StringComparison.Ordinal);
    }

    [Idempotent]
    private static class MarkedHandlers
    {
        public static string Pay() => "x";

        public static Task PayContext(HttpContext context) => context.Response.WriteAsync("x");

        [Idempotent]
        public static string Marked() => "x";

        public static void MapLambda(WebApplication app) => app.MapPost("/", () => "x");

        public static void MapCapture(WebApplication app, string text) => app.MapPost("/", () => text);
    }

    [Idempotent]
    private sealed class MarkedService
    {
        public string Pay() => ToString()!;
    }

    [DisableIdempotency]
    private static class DisabledHandlers
    {
        public static string Pay() => "x";
    }

    private sealed class MarkedHub : Hub
    {
        [Idempotent]
        public Task Pay() => Task.CompletedTask;
    }

    [Idempotent]
    private sealed class MarkedHubClass : Hub;

    public sealed class NoActionsController : ControllerBase
    {
        [HttpPost("/no-actions")]
        [Idempotent]
        public string Action() => Hidden();

        [NonAction]
        [Idempotent]
        public string Helper() => "x";

        [Idempotent]
        public static string Static() => "x";

        [Idempotent]
        private string Hidden() => "x";
    }

    public abstract class EmptyPage<TModel> : Page
    {
        public ViewDataDictionary<TModel> ViewData => (ViewDataDictionary<TModel>)PageContext.ViewData;

        public TModel Model => ViewData.Model;

        public override Task ExecuteAsync() => Task.CompletedTask;
    }

    public sealed class HandlerPage : EmptyPage<HandlerModel>;

    public sealed class HandlerModel : PageModel
    {
        [Idempotent]
        public void OnPost()
        {
        }
    }

    public sealed class DisabledHandlerPage : EmptyPage<DisabledHandlerModel>;

    public sealed class DisabledHandlerModel : PageModel
    {
        [DisableIdempotency]
        public void OnPost()
        {
        }
    }

    [Idempotent]
    public sealed class MarkedPage : EmptyPage<PlainModel>;

    public sealed class PlainModel : PageModel
    {
        public void OnPost()
        {
        }
    }

    public sealed class UnknownPolicyPage : EmptyPage<UnknownPolicyModel>;

    [Idempotent("nobody-knows")]
    public sealed class UnknownPolicyModel : PageModel
    {
        public void OnPost()
        {
        }
    }

    // What the Razor compiler would leave in an assembly with one page.
    private sealed class OnePage(Type type, string path) : ApplicationPart, IRazorCompiledItemProvider
    {
        public override string Name => path;

        public IEnumerable<RazorCompiledItem> CompiledItems { get; } = [new Item(type, path)];

        private sealed class Item(Type type, string path) : RazorCompiledItem
        {
            public override string Identifier => path;

            public override string Kind => "mvc.1.0.razor-page";

            public override IReadOnlyList<object> Metadata => [];

            public override Type Type => type;
        }
    }

    private sealed class OneController(Type type) : IApplicationFeatureProvider<ControllerFeature>
    {
        public void PopulateFeature(IEnumerable<ApplicationPart> parts, ControllerFeature feature) => feature.Controllers.Add(System.Reflection.IntrospectionExtensions.GetTypeInfo(type));
    }
}
