using Idempotency.AspNetCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Watches the idempotency store.</summary>
public static class IdempotencyHealthChecksBuilderExtensions
{
    /// <summary>Adds a health check that reads from the store, whichever it is. It never writes.</summary>
    /// <param name="builder">What <c>AddHealthChecks()</c> returned.</param>
    /// <param name="name">The check's name. Default: <c>idempotency-store</c>.</param>
    /// <param name="failureStatus">What a store that cannot be read is reported as. Default: unhealthy.</param>
    /// <param name="tags">Tags, to choose checks by.</param>
    /// <param name="timeout">How long a read may take. Default: 5 seconds.</param>
    public static IHealthChecksBuilder AddIdempotencyStore(
        this IHealthChecksBuilder builder,
        string name = "idempotency-store",
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null,
        TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name,
            static services => new StoreHealthCheck(services.GetRequiredService<IIdempotencyStore>()),
            failureStatus,
            tags,
            timeout ?? TimeSpan.FromSeconds(5)));
    }
}
