using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>The run of a handler, for its parameters.</summary>
internal static class HandlerRun
{
    /// <summary>The protected run of a request; or, where it is not protected or has no key, one whose steps just run.</summary>
    public static IIdempotencyFeature Of(HttpContext context)
    {
        if (context.Features.Get<IIdempotencyFeature>() is { } run)
        {
            return run;
        }

        // Its downstream keys are nobody else's. It does not become the feature: that would tell others that the request is protected.
        var unique = Sha256Hash.Of(Guid.NewGuid().ToByteArray());
        return new UnclaimedRun("", new StoreKey(unique), new Fingerprint(unique));
    }
}
