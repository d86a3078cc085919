using Idempotency.AspNetCore;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the Redis store.</summary>
public static class RedisIdempotencyBuilderExtensions
{
    /// <summary>Stores records in Redis or Valkey, with a connection of the store's own.</summary>
    /// <param name="builder">The idempotency builder.</param>
    /// <param name="configuration">A StackExchange.Redis configuration string, for example <c>localhost:6379</c>. An invalid string fails at start-up.</param>
    public static IIdempotencyBuilder AddRedisStore(this IIdempotencyBuilder builder, string configuration)
    {
        ArgumentException.ThrowIfNullOrEmpty(configuration);
        return builder.AddRedisStore(options => options.Configuration = configuration);
    }

    /// <summary>
    /// Stores records in Redis or Valkey, with the application's <see cref="IConnectionMultiplexer"/> unless the options specify another connection. Invalid options fail at start-up.
    /// </summary>
    public static IIdempotencyBuilder AddRedisStore(this IIdempotencyBuilder builder, Action<RedisIdempotencyStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<RedisIdempotencyStoreOptions>().Configure(configure ?? (static _ => { })).ValidateOnStart();
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<RedisIdempotencyStoreOptions>, RedisIdempotencyStoreOptionsValidator>());
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, RedisWarmUp>());
        return builder.AddStore<RedisIdempotencyStore>();
    }
}
