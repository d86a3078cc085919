using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>The antiforgery check of <c>UseAntiforgery()</c>, which only records its result: the code that reads the form rejects the request.</summary>
internal static class AntiforgeryCheck
{
    /// <summary>Whether <c>UseAntiforgery()</c> found no valid token.</summary>
    public static bool HasFailed(HttpContext context) => context.Features.Find<IAntiforgeryValidationFeature>() is { IsValid: false };

    /// <summary>The form that earlier middleware has read, or null.</summary>
    /// <remarks>After a failed check, reading the form throws an exception. Here the form only identifies the request; the endpoint still sees the failed check and rejects the request itself.</remarks>
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

    /// <summary>The name of the form field with the token, or null if the application has no antiforgery. A form that is rendered again has a different token but is the same request. Names are not
    /// case-sensitive, like form field names.</summary>
    public static string? TokenFieldOf(HttpContext context) => context.RequestServices.GetService<IAntiforgery>() is null
        ? null
        : context.RequestServices.GetRequiredService<IOptions<AntiforgeryOptions>>().Value.FormFieldName;
}
