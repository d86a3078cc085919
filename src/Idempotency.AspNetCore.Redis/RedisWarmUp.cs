using Microsoft.Extensions.Hosting;

namespace Idempotency.AspNetCore;

/// <summary>Starts to connect when the application starts, so that the first request need not wait. It does not wait for the connection, because the server may start later.</summary>
internal sealed class RedisWarmUp(IIdempotencyStore store) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        (store as RedisIdempotencyStore)?.Open();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
