using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>The antiforgery check of <c>UseAntiforgery()</c>, which only notes its result: whoever reads the form rejects the request.</summary>
internal static class AntiforgeryCheck
{
    /// <summary>Whether <c>UseAntiforgery()</c> found no valid token.</summary>
    public static bool HasFailed(HttpContext context) => context.Features.Find<IAntiforgeryValidationFeature>() is { IsValid: false };

    /// <summary>The form that an earlier middleware has read, or null.</summary>
    /// <remarks>After a failed check the form throws at whoever looks at it. This is only for telling requests apart; the endpoint still meets the failed check, and rejects the request in its own way.</remarks>
    public static IFormCollection? FormOf(HttpContext context)
    {
        if (context.Features.Find<IFormFeature>() is not { } feature)
        {
            return null;
        }

        if (!HasFailed(context))
        {
            return feature.Form;
        }

        var result = context.Features.Find<IAntiforgeryValidationFeature>();
        context.Features.Put<IAntiforgeryValidationFeature>(null);
        try
        {
            return feature.Form;
        }
        finally
        {
            context.Features.Put(result);
        }
    }

    /// <summary>The form field that carries the token, or null when the application has no antiforgery. A form rendered anew has another token, and is the same request. Names are not case-sensitive, as those of a form are not.</summary>
    public static string? TokenFieldOf(HttpContext context) => context.RequestServices.GetService<IAntiforgery>() is null
        ? null
        : context.RequestServices.GetRequiredService<IOptions<AntiforgeryOptions>>().Value.FormFieldName;
}
