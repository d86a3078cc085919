using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.Mvc.ViewFeatures;
using Microsoft.AspNetCore.Razor.Hosting;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Logging;

[assembly: RazorCompiledItem(typeof(Idempotency.AspNetCore.Tests.TransferPage), "mvc.1.0.razor-page", "/Pages/Transfer.cshtml")]

namespace Idempotency.AspNetCore.Tests;

/// <summary>Kinds of endpoints beyond handlers and actions: pages take part, connections and gRPC are refused with a message that says what to do.</summary>
public sealed class EndpointKindsTests
{
    [Fact]
    public async Task A_Razor_page_is_shown_without_a_key_and_its_post_runs_once()
    {
        TransferModel.Posts = 0;
        await using var api = await Api.StartAsync(
            app => app.MapRazorPages(),
            services: services => services.AddRazorPages().ConfigureApplicationPartManager(parts => parts.ApplicationParts.Add(new CompiledRazorAssemblyPart(typeof(TransferPage).Assembly))),
            kestrel: true);
        using var shown = await api.SendAsync("/Transfer", key: null, json: null, method: HttpMethod.Get);
        Assert.Equal("posted: 0", await shown.TextAsync());
        using var again = await api.SendAsync("/Transfer", key: "k", json: null, method: HttpMethod.Get); // a page that is shown is never recorded
        Assert.False(again.IsReplay());
        using var missing = await api.SendAsync("/Transfer", key: null);
        await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        using var first = await api.SendAsync("/Transfer", key: "k");
        using var replay = await api.SendAsync("/Transfer", key: "k");
        Assert.Equal("posted: 1", await replay.TextAsync());
        Assert.True(replay.IsReplay());
        Assert.Equal(1, TransferModel.Posts);
        using var after = await api.SendAsync("/Transfer", key: null, json: null, method: HttpMethod.Get);
        Assert.Equal("posted: 1", await after.TextAsync());
    }

    [Fact]
    public async Task A_Razor_page_the_middleware_has_not_seen_does_not_run()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddIdempotency();
        builder.Services.AddRazorPages().ConfigureApplicationPartManager(parts => parts.ApplicationParts.Add(new CompiledRazorAssemblyPart(typeof(TransferPage).Assembly)));
        await using var app = builder.Build();
        app.UseWhen(context => context.Request.Path == "/elsewhere", branch => branch.UseIdempotency());
        app.MapRazorPages();
        await app.StartAsync();
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => app.GetTestClient().SendAsync(Api.Request("/Transfer")));
        Assert.Contains("app.UseIdempotency()", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_protected_endpoint_does_not_become_a_WebSocket(bool http2)
    {
        Exception? refusal = null;
        await using var api = await Api.StartAsync(
            app => app.Map("/socket", async (HttpContext context) =>
            {
                Assert.True(context.WebSockets.IsWebSocketRequest);
                try
                {
                    using var socket = await context.WebSockets.AcceptWebSocketAsync();
                }
                catch (InvalidOperationException exception)
                {
                    refusal = exception;
                    throw;
                }
            }).WithIdempotency(new IdempotencyPolicy { Methods = ["GET"] }),
            outer: app => app.UseWebSockets(),
            kestrel: true,
            host: http2 ? DisconnectTests.Http2 : null);
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Idempotency-Key", "k");
        if (http2)
        {
            socket.Options.HttpVersion = HttpVersion.Version20;
            socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        }

        using var invoker = new HttpClient(new SocketsHttpHandler());
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(new UriBuilder(api.Address) { Scheme = "ws", Path = "/socket" }.Uri, invoker, TestContext.Current.CancellationToken));
        Assert.Contains(".DisableIdempotency()", refusal?.Message, StringComparison.Ordinal);
        Assert.Equal(1, api.Store.Calls("release"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_WebSocket_is_a_GET_and_passes_through(bool http2)
    {
        await using var api = await Api.StartAsync(
            app => app.MapGroup("/g").WithIdempotency().Map("/socket", async (HttpContext context) =>
            {
                using var socket = await context.WebSockets.AcceptWebSocketAsync();
                await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "told", context.RequestAborted);
            }),
            outer: app => app.UseWebSockets(),
            kestrel: true,
            host: http2 ? DisconnectTests.Http2 : null);
        using var socket = new ClientWebSocket();
        if (http2)
        {
            socket.Options.HttpVersion = HttpVersion.Version20;
            socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        }

        using var invoker = new HttpClient(new SocketsHttpHandler());
        await socket.ConnectAsync(new UriBuilder(api.Address) { Scheme = "ws", Path = "/g/socket" }.Uri, invoker, TestContext.Current.CancellationToken);
        await socket.ReceiveAsync(new byte[10], TestContext.Current.CancellationToken);
        Assert.Equal("told", socket.CloseStatusDescription);
    }

    [Fact]
    public async Task A_WebSocket_that_was_taken_out_works()
    {
        await using var api = await Api.StartAsync(
            app => app.MapGroup("/g").WithIdempotency().MapGet("/socket", async (HttpContext context) =>
            {
                using var socket = await context.WebSockets.AcceptWebSocketAsync();
                await socket.SendAsync("hi"u8.ToArray(), WebSocketMessageType.Text, true, context.RequestAborted);
                await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
            }).DisableIdempotency(),
            outer: app => app.UseWebSockets(),
            kestrel: true);
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new UriBuilder(api.Address) { Scheme = "ws", Path = "/g/socket" }.Uri, TestContext.Current.CancellationToken);
        var buffer = new byte[10];
        Assert.Equal(2, (await socket.ReceiveAsync(buffer, TestContext.Current.CancellationToken)).Count);
    }

    [Fact]
    public async Task A_request_that_offers_an_upgrade_nobody_takes_is_as_any()
    {
        await using var api = await Api.StartAsync(app => app.MapGet("/", () => "x").WithIdempotency(new IdempotencyPolicy { Methods = ["GET"] }), kestrel: true);
        for (var i = 0; i < 2; i++)
        {
            using var response = await api.SendAsync(json: null, method: HttpMethod.Get, with: request =>
            {
                request.Headers.Connection.Add("Upgrade");
                request.Headers.Upgrade.ParseAdd("h2c");
            });
            Assert.Equal("x", await response.TextAsync());
            Assert.Equal(i == 1, response.IsReplay());
        }
    }

    public static TheoryData<string, Action<WebApplication>> Unsuitable() => new()
    {
        { "gRPC", app => app.MapGrpcService<TransfersService>().WithIdempotency() },
        { "SignalR", app => app.MapHub<SomeHub>("/hub").WithIdempotency() },
    };

    [Theory]
    [MemberData(nameof(Unsuitable))]
    public async Task What_has_no_answer_to_keep_fails_at_start_up(string kind, Action<WebApplication> map)
    {
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => Api.StartAsync(map, services: services => services.AddGrpc().Services.AddSignalR()));
        Assert.Contains(kind, failure.Message, StringComparison.Ordinal);
        Assert.Contains("IIdempotentExecutor", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/grpc", true)]
    [InlineData("application/grpc+proto", true)]
    [InlineData("application/grpc-web", true)]
    [InlineData("application/grpcurl", false)]
    public async Task A_gRPC_call_that_comes_all_the_same_is_415(string type, bool isGrpc)
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency());
        using var response = await api.SendAsync(with: request => request.Content!.Headers.ContentType = new(type));
        Assert.Equal(isGrpc ? HttpStatusCode.UnsupportedMediaType : HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(isGrpc ? 1 : 0, api.Logs.Count("GrpcRejected"));
        Assert.Equal(isGrpc ? 0 : 1, runs);
    }

    [Fact]
    public async Task A_post_cannot_become_another_protocol_either()
    {
        Exception? refusal = null;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpContext context) =>
            {
                refusal = await Record.ExceptionAsync(async () => await context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpUpgradeFeature>()!.UpgradeAsync());
            }).WithIdempotency(),
            kestrel: true);
        using var response = await api.SendAsync(json: null, with: request =>
        {
            request.Headers.Connection.Add("Upgrade");
            request.Headers.Upgrade.ParseAdd("mine");
        });
        Assert.NotEqual(HttpStatusCode.SwitchingProtocols, response.StatusCode);
        Assert.Contains(".DisableIdempotency()", refusal?.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task At_start_up_it_tells_which_endpoints_are_protected_by_which_policy()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/default", () => "x").WithIdempotency().WithDisplayName("one");
                app.MapPost("/named", () => "x").WithIdempotency("short").WithDisplayName("two");
                app.MapPost("/own", () => "x").WithIdempotency(new IdempotencyPolicy { Retention = TimeSpan.FromSeconds(7) }).WithDisplayName("three");
                app.MapPost("/open", () => "x").WithDisplayName("four");
            },
            options => options.AddPolicy("short", new() { Retention = TimeSpan.FromSeconds(5) }));
        var told = api.Logs.Entries.Where(entry => entry.Event == "Protected").ToList();
        Assert.Equal(3, told.Count);
        Assert.All(told, entry => Assert.Equal(LogLevel.Debug, entry.Level));
        Assert.Contains(told, entry => entry.Text.StartsWith("Endpoint 'one' is protected by the default policy: ", StringComparison.Ordinal) && entry.Text.Contains("Retention = 1.00:00:00", StringComparison.Ordinal));
        Assert.Contains(told, entry => entry.Text.StartsWith("Endpoint 'two' is protected by the policy 'short': ", StringComparison.Ordinal) && entry.Text.Contains("Retention = 00:00:05", StringComparison.Ordinal));
        Assert.Contains(told, entry => entry.Text.StartsWith("Endpoint 'three' is protected by its own policy: ", StringComparison.Ordinal) && entry.Text.Contains("Retention = 00:00:07", StringComparison.Ordinal));
    }

    private sealed class SomeHub : Hub;
}

/// <summary>What the Razor compiler would make of a page.</summary>
public sealed class TransferPage : Page
{
    public ViewDataDictionary<TransferModel> ViewData => (ViewDataDictionary<TransferModel>)PageContext.ViewData;

    public TransferModel Model => ViewData.Model;

    public override Task ExecuteAsync()
    {
        WriteLiteral($"posted: {TransferModel.Posts}");
        return Task.CompletedTask;
    }
}

[Idempotent]
[IgnoreAntiforgeryToken]
public sealed class TransferModel : PageModel
{
    public static int Posts { get; set; }

    public void OnGet()
    {
    }

    public void OnPost() => Posts++;
}
