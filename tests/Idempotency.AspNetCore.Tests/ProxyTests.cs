using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Configuration;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Endpoints that disable response buffering whether they stream or not, as a reverse proxy does.</summary>
public sealed class ProxyTests
{
    private int _runs;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_proxied_response_is_recorded_where_the_policy_says_to_hold_it(bool isHeld)
    {
        await using var upstream = await Api.StartAsync(
            app => app.MapPost("/payments", async (HttpContext context) =>
            {
                var run = ++_runs;
                context.Response.StatusCode = 201;
                context.Response.Headers.Location = "/payments/1";
                await context.Response.WriteAsync("part ");
                await context.Response.Body.FlushAsync();
                await context.Response.WriteAsync($"{run}");
            }),
            kestrel: true);
        await using var api = await StartProxyAsync(upstream.Address, new IdempotencyPolicy { HoldUnbufferedResponses = isHeld });
        using var first = await api.SendAsync("/payments");
        Assert.Equal("part 1", await first.TextAsync());
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        using var retry = await api.SendAsync("/payments");
        if (isHeld)
        {
            Assert.True(retry.IsReplay());
            Assert.Equal(HttpStatusCode.Created, retry.StatusCode);
            Assert.Equal("/payments/1", retry.Header("Location"));
            Assert.Equal("part 1", await retry.TextAsync());
        }
        else
        {
            await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
        }

        Assert.Equal(1, _runs);
    }

    [Fact]
    public async Task A_proxied_service_that_is_away_frees_the_key()
    {
        var isAway = true;
        await using var upstream = await Api.StartAsync(
            app => app.MapPost("/payments", (HttpContext context) =>
            {
                if (isAway)
                {
                    context.Abort();
                    return "";
                }

                return $"run {++_runs}";
            }),
            kestrel: true);
        await using var api = await StartProxyAsync(upstream.Address, new IdempotencyPolicy { HoldUnbufferedResponses = true });
        using var failed = await api.SendAsync("/payments");
        Assert.Equal(HttpStatusCode.BadGateway, failed.StatusCode);
        isAway = false;
        using var retry = await api.SendAsync("/payments");
        Assert.Equal("run 1", await retry.TextAsync());
    }

    [Fact]
    public async Task Beyond_the_limit_it_streams()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
            await context.Response.WriteAsync("small");
            await context.Response.Body.FlushAsync();
            await context.Response.WriteAsync(new string('x', 100));
            _runs++;
        }).WithIdempotency(new IdempotencyPolicy { HoldUnbufferedResponses = true, MaxResponseBodySize = 50 }), kestrel: true);
        using var first = await api.SendAsync();
        Assert.Equal("small" + new string('x', 100), await first.TextAsync());
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
        Assert.Equal(1, _runs);
    }

    [Fact]
    public async Task Server_sent_events_that_end_can_be_held()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => TypedResults.ServerSentEvents(Numbers())).WithIdempotency(new IdempotencyPolicy { HoldUnbufferedResponses = true }), kestrel: true);
        using var first = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal("text/event-stream", replay.Content.Headers.ContentType!.MediaType);
        Assert.Equal(await first.TextAsync(), await replay.TextAsync());

        static async IAsyncEnumerable<string> Numbers()
        {
            await Task.Yield();
            yield return "one";
            yield return "two";
        }
    }

    private static Task<Api> StartProxyAsync(Uri upstream, IdempotencyPolicy policy) => Api.StartAsync(
        app => app.MapReverseProxy().WithMetadata(new IdempotentAttribute("proxied")),
        options: options => options.AddPolicy("proxied", policy),
        services: services => services.AddReverseProxy().LoadFromMemory(
            [new RouteConfig { RouteId = "all", ClusterId = "upstream", Match = new RouteMatch { Path = "{**rest}" } }],
            [new ClusterConfig { ClusterId = "upstream", Destinations = new Dictionary<string, DestinationConfig> { ["one"] = new() { Address = upstream.ToString() } } }]),
        kestrel: true);
}
