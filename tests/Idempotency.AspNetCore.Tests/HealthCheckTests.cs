using System.Net;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Operators ask whether the store can be read.</summary>
public sealed class HealthCheckTests
{
    [Fact]
    public async Task The_store_is_read_and_never_written()
    {
        await using var api = await Api.StartAsync(
            app => app.MapHealthChecks("/health"),
            services: services => services.AddHealthChecks().AddIdempotencyStore(failureStatus: HealthStatus.Degraded, timeout: TimeSpan.FromMilliseconds(200)).AddIdempotencyStore("strict", timeout: TimeSpan.FromMilliseconds(200)));
        using (var healthy = await api.Client.GetAsync("/health"))
        {
            Assert.Equal("Healthy", await healthy.TextAsync());
        }

        Assert.Equal(2, api.Store.Calls("read"));
        Assert.Equal(2, api.Store.AllCalls);

        api.Store.Before = _ => throw new IOException("away");
        using var unhealthy = await api.Client.GetAsync("/health");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, unhealthy.StatusCode);

        var never = new TaskCompletionSource();
        api.Store.Before = _ => never.Task;
        using var hanging = await api.Client.GetAsync("/health");
        Assert.Equal("Unhealthy", await hanging.TextAsync());
        never.SetResult();
    }
}
