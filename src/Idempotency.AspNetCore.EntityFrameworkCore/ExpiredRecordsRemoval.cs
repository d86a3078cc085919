using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Deletes expired records at an interval, so that the table does not grow forever.</summary>
internal sealed class ExpiredRecordsRemoval<TDbContext>(
    IIdempotencyStore store,
    IOptions<EntityFrameworkCoreIdempotencyStoreOptions> options,
    TimeProvider time,
    ILogger<ExpiredRecordsRemoval<TDbContext>> logger) : BackgroundService
    where TDbContext : DbContext
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var interval = options.Value.RemovalInterval;
        if (interval == TimeSpan.Zero || store is not EntityFrameworkCoreIdempotencyStore<TDbContext> records)
        {
            return;
        }

        using var timer = new PeriodicTimer(interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                Log.Removed(logger, await records.RemoveExpiredAsync(stoppingToken));
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                Log.RemovalFailed(logger, interval, exception);
            }
        }
    }
}
