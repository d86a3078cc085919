using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore;

/// <summary>Wraps the application's antiforgery service to detect a failed check after the middleware (by a filter or the handler), so that the resulting 400 is not recorded.</summary>
internal sealed class ObservedAntiforgery(IAntiforgery inner) : IAntiforgery
{
    public AntiforgeryTokenSet GetAndStoreTokens(HttpContext httpContext) => inner.GetAndStoreTokens(httpContext);

    public AntiforgeryTokenSet GetTokens(HttpContext httpContext) => inner.GetTokens(httpContext);

    public void SetCookieTokenAndHeader(HttpContext httpContext) => inner.SetCookieTokenAndHeader(httpContext);

    public async Task<bool> IsRequestValidAsync(HttpContext httpContext)
    {
        var isValid = await inner.IsRequestValidAsync(httpContext);
        if (!isValid)
        {
            Fail(httpContext);
        }

        return isValid;
    }

    public async Task ValidateRequestAsync(HttpContext httpContext)
    {
        try
        {
            await inner.ValidateRequestAsync(httpContext);
        }
        catch (AntiforgeryValidationException)
        {
            Fail(httpContext);
            throw;
        }
    }

    private static void Fail(HttpContext context)
    {
        if (context.Features.Find<IIdempotencyFeature>() is RequestExecution run)
        {
            run.HasFailedAntiforgery = true;
        }
    }
}
