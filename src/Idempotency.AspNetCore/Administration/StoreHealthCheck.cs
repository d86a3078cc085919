using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Idempotency.AspNetCore;

/// <summary>Checks whether the store can be read, by reading a key that no request can have.</summary>
internal sealed class StoreHealthCheck(IIdempotencyStore store) : IHealthCheck
{
    // Requests hash a version byte and length-prefixed parts; this input has neither.
    private static readonly StoreKey NobodysKey = new(Sha256Hash.Of("health check"u8));

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            // The timeout is enforced here too, because not every client library observes the token.
            await store.ReadAsync(NobodysKey, cancellationToken).AsTask().WaitAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception exception)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, "The idempotency store is unavailable. Protected endpoints respond with 503, unless their policy allows them to run unprotected.", exception);
        }
    }
}
