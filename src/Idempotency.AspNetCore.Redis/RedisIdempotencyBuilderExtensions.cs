using Idempotency.AspNetCore;
using StackExchange.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the Redis store.</summary>
public static class RedisIdempotencyBuilderExtensions
{
    /// <summary>Keeps records in Redis or Valkey, over a connection of the store's own.</summary>
    /// <param name="builder">What <c>AddIdempotency()</c> returned.</param>
    /// <param name="configuration">A StackExchange.Redis configuration string, for example <c>localhost:6379</c>.</param>
    public static IIdempotencyBuilder AddRedisStore(this IIdempotencyBuilder builder, string configuration)
    {
        ArgumentException.ThrowIfNullOrEmpty(configuration);
        return builder.AddRedisStore(options => options.Configuration = configuration);
    }

    /// <summary>
    /// Keeps records in Redis or Valkey: over the application's <see cref="IConnectionMultiplexer"/>, unless the options name a configuration.
    /// </summary>
    public static IIdempotencyBuilder AddRedisStore(this IIdempotencyBuilder builder, Action<RedisIdempotencyStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<RedisIdempotencyStoreOptions>()
            .Configure(configure ?? (static _ => { }))
            .Validate(static options => options.KeyPrefix is not null, "RedisIdempotencyStoreOptions.KeyPrefix is null. Set it to what every key shall start with, for example 'idempotency:'.")
            .Validate(static options => options.Database >= -1, "RedisIdempotencyStoreOptions.Database must be a database number, or -1 for the connection's own.")
            .Validate(static options => options.Configuration is null || IsConfiguration(options.Configuration), "RedisIdempotencyStoreOptions.Configuration is not a StackExchange.Redis configuration string, for example 'localhost:6379' or 'host:6380,ssl=true,password=...'.")
            .ValidateOnStart();
        return builder.AddStore<RedisIdempotencyStore>();
    }

    private static bool IsConfiguration(string configuration)
    {
        try
        {
            return ConfigurationOptions.Parse(configuration).EndPoints.Count > 0;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
