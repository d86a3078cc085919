using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Idempotency.AspNetCore;

/// <summary>Whether the store can be read: a key that no request can have is looked up.</summary>
internal sealed class StoreHealthCheck(IIdempotencyStore store) : IHealthCheck
{
    // Requests hash a version byte and length-prefixed parts; this is neither.
    private static readonly StoreKey NobodysKey = new(Sha256Hash.Of("health check"u8));

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            // The time limit is kept here too: not every client library heeds a token.
            await store.ReadAsync(NobodysKey, cancellationToken).AsTask().WaitAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception exception)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, "The idempotency store is unavailable. Protected endpoints respond with 503, unless their policy allows them to run unprotected.", exception);
        }
    }
}
