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
            services: services => services.AddHealthChecks().AddIdempotencyStore(failureStatus: HealthStatus.Degraded).AddIdempotencyStore("strict"));
        using (var healthy = await api.Client.GetAsync("/health"))
        {
            Assert.Equal("Healthy", await healthy.TextAsync());
        }

        Assert.Equal(2, api.Store.Calls("read"));
        Assert.Equal(2, api.Store.AllCalls);

        api.Store.Before = _ => throw new IOException("away");
        using var unhealthy = await api.Client.GetAsync("/health");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, unhealthy.StatusCode);
    }

    [Fact]
    public async Task A_store_that_does_not_answer_in_time_is_unhealthy()
    {
        await using var api = await Api.StartAsync(
            app => app.MapHealthChecks("/health"),
            services: services => services.AddHealthChecks().AddIdempotencyStore(timeout: TimeSpan.FromMilliseconds(50)));
        var never = new TaskCompletionSource();
        api.Store.Before = _ => never.Task;
        using var hanging = await api.Client.GetAsync("/health");
        Assert.Equal("Unhealthy", await hanging.TextAsync());
        never.SetResult();
    }
}
