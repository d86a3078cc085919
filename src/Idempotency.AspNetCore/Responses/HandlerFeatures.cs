using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>The features that a protected handler finds, and that are gone when it has ended.</summary>
internal readonly struct HandlerFeatures : IDisposable
{
    private readonly HttpContext _context;
    private readonly DetachedLifetime _lifetime;
    private readonly RefusedUpgrade? _upgrade;
    private readonly ResponseCapture _capture;

    private HandlerFeatures(HttpContext context, DetachedLifetime lifetime, RefusedUpgrade? upgrade, ResponseCapture capture)
    {
        _context = context;
        _lifetime = lifetime;
        _upgrade = upgrade;
        _capture = capture;
    }

    /// <summary>Whether the handler itself cut the connection, which says "no response".</summary>
    public bool WasAborted => _lifetime.WasAborted;

    /// <summary>Puts the features in place.</summary>
    /// <param name="context">The request.</param>
    /// <param name="run">What the handler can know of its run.</param>
    /// <param name="capture">The response, which is in place.</param>
    /// <param name="isDetached">Whether a disconnect of the client does not reach the handler.</param>
    public static HandlerFeatures Install(HttpContext context, IIdempotencyFeature run, ResponseCapture capture, bool isDetached)
    {
        var lifetime = DetachedLifetime.Install(context, isDetached);
        context.Features.Put(run);
        return new HandlerFeatures(context, lifetime, RefusedUpgrade.Install(context), capture);
    }

    public void Dispose()
    {
        _context.Features.Put<IIdempotencyFeature>(null);
        _upgrade?.Uninstall();
        _lifetime.Uninstall();
        _capture.Uninstall();
    }
}
