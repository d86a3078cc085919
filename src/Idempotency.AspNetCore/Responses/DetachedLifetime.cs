using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;

namespace Idempotency.AspNetCore;

/// <summary>The lifetime that a protected handler sees: a disconnect of the client does not abort the request.</summary>
internal sealed class DetachedLifetime : IHttpRequestLifetimeFeature, IHttpResetFeature
{
    private readonly HttpContext _context;
    private readonly IHttpRequestLifetimeFeature _connection;
    private readonly IHttpResetFeature? _reset; // HTTP/2 and 3
    private readonly bool _isDetached;
    private CancellationTokenSource? _source;
    private CancellationToken? _replaced;

    private DetachedLifetime(HttpContext context, IHttpRequestLifetimeFeature connection, bool isDetached)
    {
        _context = context;
        _connection = connection;
        _reset = context.Features.Find<IHttpResetFeature>();
        _isDetached = isDetached;
    }

    /// <summary>Whether the handler itself aborted the connection, so that there is no response.</summary>
    public bool WasAborted { get; private set; }

    public CancellationToken RequestAborted
    {
        get => _replaced ?? (_isDetached ? Source().Token : _connection.RequestAborted);
        set => _replaced = value;
    }

    public static DetachedLifetime Install(HttpContext context, bool isDetached)
    {
        var lifetime = new DetachedLifetime(context, context.Features.Find<IHttpRequestLifetimeFeature>()!, isDetached);
        context.Features.Put<IHttpRequestLifetimeFeature>(lifetime);
        if (lifetime._reset is not null)
        {
            context.Features.Put<IHttpResetFeature>(lifetime);
        }

        return lifetime;
    }

    public void Uninstall()
    {
        _context.Features.Put(_connection);
        if (_reset is not null)
        {
            _context.Features.Put(_reset);
        }

        _source?.Dispose();
    }

    public void Abort()
    {
        WasAborted = true;
        _source?.Cancel();
        _connection.Abort();
    }

    public void Reset(int errorCode)
    {
        WasAborted = true;
        _source?.Cancel();
        _reset!.Reset(errorCode);
    }

    // A disconnect must not reach the handler, but a request timeout of outer middleware must, and both use the same token. The timeout's own token
    // is taken from its feature. Created only for handlers that read the token.
    private CancellationTokenSource Source()
    {
        if (Volatile.Read(ref _source) is { } made)
        {
            return made;
        }

        var source = _context.Features.Find<IHttpRequestTimeoutFeature>() is { } timeout
            ? CancellationTokenSource.CreateLinkedTokenSource(timeout.RequestTimeoutToken)
            : new CancellationTokenSource();
        return Interlocked.CompareExchange(ref _source, source, null) ?? source;
    }
}
