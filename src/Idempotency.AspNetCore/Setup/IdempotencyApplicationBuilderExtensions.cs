using Idempotency.AspNetCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Puts idempotency into the pipeline.</summary>
public static class IdempotencyApplicationBuilderExtensions
{
    // What UseRouting and UseAuthorization leave in the builder's properties, for those who must come after them.
    private static readonly (string Property, string Call, string Why)[] MustComeBefore =
    [
        ("__EndpointRouteBuilder", "UseRouting()", "without an endpoint nothing is protected"),
        ("__AuthenticationMiddlewareSet", "UseAuthentication()", "callers are kept apart by who they are"),
        ("__AuthorizationMiddlewareSet", "UseAuthorization()", "a recorded answer would be given to a caller who may not have it"),
    ];

    /// <summary>
    /// Runs endpoints that opted in once per idempotency key. Place it after <c>UseRouting()</c>, <c>UseAuthentication()</c> and
    /// <c>UseAuthorization()</c> where those are called, and before the endpoints: who the caller is decides whose answers they get.
    /// </summary>
    /// <exception cref="InvalidOperationException"><c>AddIdempotency()</c> was not called; or, when the application starts, a middleware that must come before comes after.</exception>
    public static IApplicationBuilder UseIdempotency(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var services = app.ApplicationServices;
        var marker = services.GetService<UseIdempotencyMarker>()
            ?? throw new InvalidOperationException("UseIdempotency() needs its services. Call builder.Services.AddIdempotency() first.");
        marker.WasUsed = true;

        var alreadyThere = MustComeBefore.Where(middleware => app.Properties.ContainsKey(middleware.Property)).ToArray();
        return app.Use(next =>
        {
            // Now that the pipeline is whole: what was not there before us and is there now comes after us.
            foreach (var late in MustComeBefore.Except(alreadyThere).Where(middleware => app.Properties.ContainsKey(middleware.Property)))
            {
                throw new InvalidOperationException($"UseIdempotency() comes before {late.Call}: {late.Why}. Call app.UseIdempotency() after app.{late.Call}.");
            }

            return new IdempotencyMiddleware(
                next,
                services.GetRequiredService<EffectivePolicies>(),
                services.GetRequiredService<ClaimEngine>(),
                services.GetRequiredService<ILogger<IdempotencyMiddleware>>()).InvokeAsync;
        });
    }
}
