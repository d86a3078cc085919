using System.Net;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Configuration;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Endpoints whose builders do not carry the application's services: a reverse proxy's routes and Razor components.</summary>
public sealed class ForeignBuilderTests
{
    private static void AddProxy(IServiceCollection services, string destination) => services.AddReverseProxy().LoadFromMemory(
        [new RouteConfig { RouteId = "all", ClusterId = "one", Match = new RouteMatch { Path = "/proxied/{**rest}" } }],
        [new ClusterConfig { ClusterId = "one", Destinations = new Dictionary<string, DestinationConfig> { ["one"] = new() { Address = destination } } }]);

    private static async Task<WebApplication> StartWithoutServicesAsync(Action<IServiceCollection> services, Action<WebApplication> map)
    {
        new ServiceCollection().AddIdempotency(); // another application in the process; without one, the mapping already fails
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        services(builder.Services);
        var app = builder.Build();
        map(app);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return app;
    }

    [Fact]
    public async Task A_reverse_proxys_routes_are_protected()
    {
        var runs = 0;
        await using var backend = await Api.StartAsync(app => app.Map("/{**path}", () => ++runs), kestrel: true);
        await using var api = await Api.StartAsync(
            app => app.MapReverseProxy().WithIdempotency(),
            services: services => AddProxy(services, backend.Address.ToString()));
        using var missing = await api.SendAsync("/proxied/pay", key: null);
        await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        using var first = await api.SendAsync("/proxied/pay");
        using var read = await api.SendAsync("/proxied/pay", key: null, json: null, method: HttpMethod.Get);
        Assert.Equal("1", await first.TextAsync());
        Assert.Equal("2", await read.TextAsync());
        using var again = await api.SendAsync("/proxied/pay");
        Assert.Equal(2, runs); // whatever can be recorded of a response that streams: the request is not sent twice
    }

    [Fact]
    public async Task A_reverse_proxys_routes_without_the_services_do_not_run()
    {
        await using var app = await StartWithoutServicesAsync(services => AddProxy(services, "http://localhost:1"), app => app.MapReverseProxy().WithIdempotency());
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => app.GetTestClient().SendAsync(Api.Request("/proxied/pay"), TestContext.Current.CancellationToken));
        Assert.Contains("builder.Services.AddIdempotency()", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_the_middleware_they_fail_at_start_up()
    {
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => StartWithoutServicesAsync(
            services =>
            {
                AddProxy(services, "http://localhost:1");
                services.AddIdempotency();
            },
            app => app.MapReverseProxy().WithIdempotency()));
        Assert.Contains("app.UseIdempotency()", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Razor_components_are_shown_without_a_key_and_what_is_posted_runs_once(bool isInteractive)
    {
        CounterPage.Runs = 0;
        await using var api = await Api.StartAsync(
            app =>
            {
                app.UseAntiforgery();
                var components = app.MapRazorComponents<RootComponent>().WithIdempotency().WithMetadata(new NoToken());
                if (isInteractive)
                {
                    components.AddInteractiveServerRenderMode();
                }
            },
            services: services =>
            {
                var components = services.AddRazorComponents();
                if (isInteractive)
                {
                    components.AddInteractiveServerComponents();
                }
            });
        using var shown = await api.SendAsync("/counter", key: null, json: null, method: HttpMethod.Get);
        Assert.Contains("<p>run 1</p>", await shown.TextAsync(), StringComparison.Ordinal);
        using var missing = await PostAsync(null);
        using var first = await PostAsync("k");
        using var replay = await PostAsync("k");
        await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.Contains("<p>run 2</p>", await first.TextAsync(), StringComparison.Ordinal);
        Assert.Equal(await first.TextAsync(), await replay.TextAsync());
        Assert.True(replay.IsReplay());
        if (isInteractive)
        {
            using var negotiated = await api.SendAsync("/_blazor/negotiate?negotiateVersion=1", key: null, json: null);
            Assert.Equal(HttpStatusCode.OK, negotiated.StatusCode);
        }

        Task<HttpResponseMessage> PostAsync(string? key) => api.SendAsync("/counter", key, json: null, with: request => request.Content = new FormUrlEncodedContent([new("_handler", "add")]));
    }

    [Fact]
    public async Task Razor_components_without_the_services_do_not_run()
    {
        await using var app = await StartWithoutServicesAsync(services => services.AddRazorComponents(), app =>
        {
            app.UseAntiforgery();
            app.MapRazorComponents<RootComponent>().WithIdempotency();
        });
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => app.GetTestClient().GetAsync(new Uri("/counter", UriKind.Relative), TestContext.Current.CancellationToken));
        Assert.Contains("builder.Services.AddIdempotency()", failure.Message, StringComparison.Ordinal);
    }

    private sealed class NoToken : IAntiforgeryMetadata
    {
        public bool RequiresValidation => false;
    }
}

public sealed class RootComponent : ComponentBase
{
    protected override void BuildRenderTree(RenderTreeBuilder builder)
    {
        builder.OpenComponent<Microsoft.AspNetCore.Components.Routing.Router>(0);
        builder.AddComponentParameter(1, "AppAssembly", typeof(RootComponent).Assembly);
        builder.AddComponentParameter(2, "Found", (RenderFragment<RouteData>)(route => inner =>
        {
            inner.OpenComponent<RouteView>(0);
            inner.AddComponentParameter(1, "RouteData", route);
            inner.CloseComponent();
        }));
        builder.CloseComponent();
    }
}

[Microsoft.AspNetCore.Components.Route("/counter")]
public sealed class CounterPage : ComponentBase
{
    public static int Runs { get; set; }

    protected override void OnInitialized() => Runs++;

    protected override void BuildRenderTree(RenderTreeBuilder builder)
    {
        builder.OpenElement(0, "p");
        builder.AddContent(1, $"run {Runs}");
        builder.CloseElement();
        builder.OpenElement(2, "form");
        builder.AddAttribute(3, "method", "post");
        builder.AddAttribute(4, "onsubmit", EventCallback.Factory.Create(this, static () => { }));
        builder.AddNamedEvent("onsubmit", "add");
        builder.CloseElement();
    }
}
