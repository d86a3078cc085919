using Microsoft.Extensions.DependencyInjection;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Local caches as an application has them.</summary>
internal static class LocalCaches
{
    public static CompletedRecords Create(Action<IdempotencyOptions>? configure = null)
    {
        var services = new ServiceCollection();
        services.AddIdempotency(configure);
        return services.BuildServiceProvider().GetRequiredService<CompletedRecords>();
    }
}
