using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>What a protected handler can know of its own run: <c>HttpContext.Features.Get&lt;IIdempotencyFeature&gt;()</c>.</summary>
public interface IIdempotencyFeature : IIdempotentRun
{
    /// <summary>Lets a handler of a minimal API ask for it as a parameter.</summary>
    /// <param name="context">The request.</param>
    /// <returns>The run of the request; one without a claim where the endpoint is not protected or the request needs no key.</returns>
    static new ValueTask<IIdempotencyFeature?> BindAsync(HttpContext context) => ValueTask.FromResult<IIdempotencyFeature?>(HandlerRun.Of(context));
}
