using Idempotency.AspNetCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds a health check for the idempotency store.</summary>
public static class IdempotencyHealthChecksBuilderExtensions
{
    /// <summary>Adds a health check that reads from the store. It never writes.</summary>
    /// <param name="builder">The health checks builder.</param>
    /// <param name="name">The name of the check. Default: <c>idempotency-store</c>.</param>
    /// <param name="failureStatus">The status to report if the store cannot be read. Default: unhealthy.</param>
    /// <param name="tags">Tags for filtering checks.</param>
    /// <param name="timeout">The maximum duration of the read. Default: 5 seconds.</param>
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
