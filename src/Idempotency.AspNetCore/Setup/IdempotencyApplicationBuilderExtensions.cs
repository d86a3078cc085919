using Idempotency.AspNetCore;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Adds idempotency to the pipeline.</summary>
public static class IdempotencyApplicationBuilderExtensions
{
    /// <summary>
    /// Adds the middleware that runs endpoints with idempotency once per key. Call it after <c>UseRouting()</c>, <c>UseAuthentication()</c> and
    /// <c>UseAuthorization()</c> if they are called, and before the endpoints, because the caller determines the partition.
    /// </summary>
    /// <exception cref="InvalidOperationException"><c>AddIdempotency()</c> was not called; or, at start-up, middleware that must come before it comes after it.</exception>
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
