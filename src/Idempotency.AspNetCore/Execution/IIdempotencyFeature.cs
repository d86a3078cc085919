using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>Describes the run of a protected handler: <c>HttpContext.Features.Get&lt;IIdempotencyFeature&gt;()</c>.</summary>
public interface IIdempotencyFeature : IIdempotentRun
{
    /// <summary>Binds the run to a parameter of a minimal API handler.</summary>
    /// <param name="context">The request.</param>
    /// <returns>The run of the request, or a run without a claim if the endpoint is not protected or the request has no key.</returns>
    static new ValueTask<IIdempotencyFeature?> BindAsync(HttpContext context) => ValueTask.FromResult<IIdempotencyFeature?>(HandlerRun.Of(context));
}
