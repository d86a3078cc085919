using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Timeouts;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A client that goes away takes nothing with it: on a real server, with the connection really cut.</summary>
public sealed class DisconnectTests
{
    /// <summary>Sends bytes over a connection of its own, and leaves it to the caller to cut.</summary>
    private static async Task<Socket> SendRawAsync(Api api, string text)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { LingerState = new LingerOption(true, 0) };
        await socket.ConnectAsync(IPAddress.Loopback, api.Address.Port);
        await socket.SendAsync(Encoding.UTF8.GetBytes(text));
        return socket;
    }

    private static string Post(string body, int? contentLength = null) =>
        $"POST / HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: key-1\r\nContent-Type: application/json\r\nContent-Length: {contentLength ?? body.Length}\r\n\r\n{body}";

    [Fact]
    public async Task While_the_handler_runs()
    {
        var runs = 0;
        var gate = new Gate();
        var wasAborted = false;
        HttpContext? seen = null;
        var aborted = new TaskCompletionSource();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpContext context, CancellationToken cancellationToken) =>
            {
                Interlocked.Increment(ref runs);
                await gate.PassAsync();
                await aborted.Task;
                wasAborted = cancellationToken.IsCancellationRequested || context.RequestAborted.IsCancellationRequested;
                return "the answer";
            }).WithIdempotency(),
            outer: app => app.Use((context, next) =>
            {
                seen = context;
                context.RequestAborted.Register(() => aborted.TrySetResult());
                return next(context);
            }),
            kestrel: true);
        using (await SendRawAsync(api, Post("{}")))
        {
            await gate.ArrivedAsync();
        }

        gate.Open();
        await aborted.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await Eventually.TrueAsync(() => api.CompletedRecords.Count == 1, "the answer is recorded");
        using var retry = await api.SendAsync();
        Assert.Equal("the answer", await retry.TextAsync());
        Assert.True(retry.IsReplay());
        Assert.Equal(1, runs);
        Assert.False(wasAborted);
        Assert.NotNull(seen);
    }

    [Fact]
    public async Task Before_the_body_has_arrived()
    {
        var runs = 0;
        var arrived = new TaskCompletionSource();
        var over = new TaskCompletionSource();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => ++runs).WithIdempotency(),
            outer: app => app.Use(async (context, next) =>
            {
                arrived.TrySetResult();
                try
                {
                    await next(context);
                }
                finally
                {
                    over.TrySetResult();
                }
            }),
            kestrel: true);
        using (await SendRawAsync(api, Post("{\"a\"", contentLength: 100)))
        {
            await arrived.Task.WaitAsync(TimeSpan.FromSeconds(30));
        }

        await over.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(0, runs);
        Assert.Equal(0, api.Store.AllCalls);
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
    }

    [Fact]
    public async Task While_the_key_is_claimed()
    {
        var runs = 0;
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs).WithIdempotency(), kestrel: true);
        api.Store.Before = operation => operation == "claim" && api.Store.Calls("claim") == 1 ? gate.PassAsync() : Task.CompletedTask;
        using (await SendRawAsync(api, Post("{}")))
        {
            await gate.ArrivedAsync();
        }

        gate.Open();
        await Eventually.TrueAsync(() => api.CompletedRecords.Count == 1, "the answer is recorded");
        using var retry = await api.SendAsync();
        Assert.Equal("1", await retry.TextAsync());
        Assert.True(retry.IsReplay());
    }

    [Fact]
    public async Task While_the_answer_is_recorded_or_sent()
    {
        var runs = 0;
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => { runs++; return new string('x', 900_000); }).WithIdempotency(), kestrel: true);
        api.Store.Before = operation => operation == "complete" ? gate.PassAsync() : Task.CompletedTask;
        using (await SendRawAsync(api, Post("{}")))
        {
            await gate.ArrivedAsync();
        }

        gate.Open();
        await Eventually.TrueAsync(() => api.CompletedRecords.Count == 1, "the answer is recorded");
        using var retry = await api.SendAsync();
        Assert.Equal(900_000, (await retry.BytesAsync()).Length);
        Assert.Equal(1, runs);

        // And one that reads a little of it and leaves.
        using (var reader = await SendRawAsync(api, Post("{}")))
        {
            await reader.ReceiveAsync(new byte[100]);
        }

        using var again = await api.SendAsync();
        Assert.Equal(900_000, (await again.BytesAsync()).Length);
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task Over_HTTP2_with_the_stream_reset()
    {
        var runs = 0;
        var gate = new Gate();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async () => { runs++; await gate.PassAsync(); return "the answer"; }).WithIdempotency(),
            kestrel: true,
            host: Http2);
        using var leaving = new CancellationTokenSource();
        var first = api.Client.SendAsync(AsHttp2(Api.Request()), leaving.Token);
        await gate.ArrivedAsync();
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        gate.Open();
        await Eventually.TrueAsync(() => api.CompletedRecords.Count == 1, "the answer is recorded");
        using var retry = await api.Client.SendAsync(AsHttp2(Api.Request()), TestContext.Current.CancellationToken);
        Assert.Equal(HttpVersion.Version20, retry.Version);
        Assert.Equal("the answer", await retry.TextAsync());
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task A_policy_can_let_the_disconnect_through_and_then_a_retry_runs()
    {
        var runs = 0;
        var gate = new Gate();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (CancellationToken cancellationToken) =>
            {
                if (++runs == 1)
                {
                    await gate.PassAsync();
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                }

                return "x";
            }).WithIdempotency(new IdempotencyPolicy { CompleteAfterDisconnect = false }),
            kestrel: true);
        using (await SendRawAsync(api, Post("{}")))
        {
            await gate.ArrivedAsync();
        }

        gate.Open();
        await Eventually.TrueAsync(() => api.Store.Calls("release") == 1, "the release");
        await Eventually.TrueAsync(() => api.Store.Inner.Count == 0, "the key is free");
        using var retry = await api.SendAsync();
        Assert.Equal("x", await retry.TextAsync());
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task A_request_timeout_still_reaches_the_handler()
    {
        var isReached = false;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpRequest request, CancellationToken cancellationToken) =>
            {
                if (request.Headers.ContainsKey("X-Impatient"))
                {
                    isReached = true;
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                }

                return "x";
            }).WithIdempotency().WithRequestTimeout(TimeSpan.FromMilliseconds(50)),
            services: services => services.AddRequestTimeouts(),
            outer: app => app.UseWhen(context => context.Request.Headers.ContainsKey("X-Impatient"), app => app.UseRequestTimeouts()),
            kestrel: true);

        // On a slow machine the time may be over before the handler is reached.
        await Eventually.TrueAsync(
            async () =>
            {
                using var timedOut = await api.SendAsync(with: request => request.Headers.Add("X-Impatient", "yes"));
                Assert.Equal(HttpStatusCode.GatewayTimeout, timedOut.StatusCode);
                return isReached;
            },
            "a handler that is timed out");
        using var retry = await api.SendAsync();
        Assert.Equal("x", await retry.TextAsync());
    }

    internal static void Http2(WebApplicationBuilder builder) => builder.WebHost.ConfigureKestrel(server =>
        server.ConfigureEndpointDefaults(endpoint => endpoint.Protocols = Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols.Http2));

    internal static HttpRequestMessage AsHttp2(HttpRequestMessage request)
    {
        request.Version = HttpVersion.Version20;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        return request;
    }
}
