using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;

namespace Idempotency.AspNetCore;

/// <summary>A context that cannot carry records fails the host's start, before anything connects. A database without their table fails it too.</summary>
internal sealed class StoreStartupCheck<TDbContext>(IIdempotencyStore store) : IHostedLifecycleService
    where TDbContext : DbContext
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        // Another store may have been added after this one: then that counts.
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
