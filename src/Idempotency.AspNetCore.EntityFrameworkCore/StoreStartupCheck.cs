using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;

namespace Idempotency.AspNetCore;

/// <summary>Fails the start of the host if the context cannot store records, before anything connects, or if the database has no table for them.</summary>
internal sealed class StoreStartupCheck<TDbContext>(IIdempotencyStore store) : IHostedLifecycleService
    where TDbContext : DbContext
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        // Another store may have been added after this one, and is used instead.
        (store as EntityFrameworkCoreIdempotencyStore<TDbContext>)?.Check();
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // Last, because a hosted service of the application may create the table.
    public Task StartedAsync(CancellationToken cancellationToken) =>
        (store as EntityFrameworkCoreIdempotencyStore<TDbContext>)?.CheckTableAsync(cancellationToken) ?? Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
