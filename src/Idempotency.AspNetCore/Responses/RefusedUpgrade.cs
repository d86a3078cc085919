using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore;

/// <summary>Replaces the server's upgrade feature while a protected handler runs, because a WebSocket has no response to replay.</summary>
internal sealed class RefusedUpgrade : IHttpUpgradeFeature, IHttpWebSocketFeature, IHttpExtendedConnectFeature
{
    private readonly HttpContext _context;
    private readonly IHttpUpgradeFeature? _upgrade;
    private readonly IHttpWebSocketFeature? _webSocket;
    private readonly IHttpExtendedConnectFeature? _connect;

    private RefusedUpgrade(HttpContext context)
    {
        _context = context;
        _upgrade = context.Features.Get<IHttpUpgradeFeature>();
        _webSocket = context.Features.Get<IHttpWebSocketFeature>();
        _connect = context.Features.Get<IHttpExtendedConnectFeature>();
    }

    public bool IsUpgradableRequest => _upgrade?.IsUpgradableRequest == true;

    public bool IsWebSocketRequest => _webSocket?.IsWebSocketRequest == true;

    public bool IsExtendedConnect => _connect?.IsExtendedConnect == true;

    public string? Protocol => _connect?.Protocol;

    /// <summary>Installs the replacement for requests that can be upgraded: those that offer an upgrade (RFC 9110 section 7.8), and CONNECT (RFC 8441).</summary>
    public static RefusedUpgrade? Install(HttpContext context)
    {
        if (context.Features.Find<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true } && !HttpMethods.IsConnect(context.Request.Method))
        {
            return null;
        }

        var refused = new RefusedUpgrade(context);
        if (refused._upgrade is not null)
        {
            context.Features.Set<IHttpUpgradeFeature>(refused);
        }

        if (refused._webSocket is not null)
        {
            context.Features.Set<IHttpWebSocketFeature>(refused);
        }

        if (refused._connect is not null)
        {
            context.Features.Set<IHttpExtendedConnectFeature>(refused);
        }

        return refused;
    }

    public void Uninstall()
    {
        _context.Features.Set(_upgrade);
        _context.Features.Set(_webSocket);
        _context.Features.Set(_connect);
    }

    public Task<Stream> UpgradeAsync() => throw Refusal();

    public Task<System.Net.WebSockets.WebSocket> AcceptAsync(WebSocketAcceptContext context) => throw Refusal();

    public ValueTask<Stream> AcceptAsync() => throw Refusal();

    private InvalidOperationException Refusal() => new(
        $"Endpoint '{_context.GetEndpoint()?.DisplayName}' is protected by idempotency and cannot be upgraded to a WebSocket or another protocol, because a connection has no response to replay. Exclude the endpoint with .DisableIdempotency().");
}
