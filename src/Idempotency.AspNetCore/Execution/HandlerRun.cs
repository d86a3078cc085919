using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>The run that a handler gets as a parameter.</summary>
internal static class HandlerRun
{
    /// <summary>The protected run of a request. If the request is not protected or has no key, a run without a claim, whose steps run without being recorded.</summary>
    public static IIdempotencyFeature Of(HttpContext context)
    {
        if (context.Features.Get<IIdempotencyFeature>() is { } run)
        {
            return run;
        }

        // Its downstream keys are unique. It is not set as the feature, which would claim that the request is protected.
        var unique = Sha256Hash.Of(Guid.NewGuid().ToByteArray());
        return new UnclaimedRun("", new StoreKey(unique), new Fingerprint(unique));
    }
}
