using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>The features that a protected handler gets. They are removed when it ends.</summary>
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

    /// <summary>Whether the handler itself aborted the connection, so that there is no response.</summary>
    public bool WasAborted => _lifetime.WasAborted;

    /// <summary>Installs the features.</summary>
    /// <param name="context">The request.</param>
    /// <param name="run">Describes the run to the handler.</param>
    /// <param name="capture">The response capture, which is already installed.</param>
    /// <param name="isDetached">Whether a disconnect of the client is hidden from the handler.</param>
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
