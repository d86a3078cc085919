using Microsoft.Extensions.Hosting;

namespace Idempotency.AspNetCore;

/// <summary>Begins to connect when the application starts, so that the first request need not wait, and does not wait for it: the server may come later.</summary>
internal sealed class RedisWarmUp(IIdempotencyStore store) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        (store as RedisIdempotencyStore)?.Open();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
