using Idempotency.AspNetCore;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Puts idempotency into the pipeline.</summary>
public static class IdempotencyApplicationBuilderExtensions
{
    /// <summary>
    /// Runs endpoints that opted in once per idempotency key. Place it after <c>UseRouting()</c>, <c>UseAuthentication()</c> and
    /// <c>UseAuthorization()</c> where those are called, and before the endpoints: who the caller is decides whose answers they get.
    /// </summary>
    /// <exception cref="InvalidOperationException"><c>AddIdempotency()</c> was not called; or, when the application starts, a middleware that must come before comes after.</exception>
    public static IApplicationBuilder UseIdempotency(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var services = app.ApplicationServices;
        var placement = services.GetService<PipelinePlacement>()
            ?? throw new InvalidOperationException("The services required by UseIdempotency() are not registered. Call builder.Services.AddIdempotency().");
        placement.Add(app);
        return app.Use(next => new IdempotencyMiddleware(
            next,
            services.GetRequiredService<PolicyResolver>(),
            services.GetRequiredService<RequestIdentifier>(),
            services.GetRequiredService<Claims>(),
            services.GetRequiredService<RequestExecutor>(),
            services.GetRequiredService<ResponseReplay>(),
            services.GetRequiredService<Rejections>()).InvokeAsync);
    }
}
