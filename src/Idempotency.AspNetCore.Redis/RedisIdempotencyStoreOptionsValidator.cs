using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Validates the options at start-up.</summary>
internal sealed class RedisIdempotencyStoreOptionsValidator : IValidateOptions<RedisIdempotencyStoreOptions>
{
    public ValidateOptionsResult Validate(string? name, RedisIdempotencyStoreOptions options)
    {
        var result = new ValidateOptionsResultBuilder();
        if (options.KeyPrefix is null)
        {
            result.AddError("It is null. Set it to the prefix of all keys, for example 'idempotency:'.", Named(nameof(options.KeyPrefix)));
        }

        if (options.Database < -1)
        {
            result.AddError("It must be a database number, or -1 for the default database of the connection.", Named(nameof(options.Database)));
        }

        if (options.CallTimeout <= TimeSpan.Zero || options.CallTimeout.TotalMilliseconds > int.MaxValue)
        {
            result.AddError("It must be greater than zero and less than 24 days, for example TimeSpan.FromSeconds(2).", Named(nameof(options.CallTimeout)));
        }

        if (options.Configuration is { } configuration && RedisConfiguration.WhyInvalid(configuration) is { } why)
        {
            result.AddError($"It {why}", Named(nameof(options.Configuration)));
        }

        if (options.ConfigurationOptions is { EndPoints.Count: 0 })
        {
            result.AddError("It has no server. Add one with EndPoints.Add(\"localhost:6379\").", Named(nameof(options.ConfigurationOptions)));
        }

        return result.Build();
    }

    private static string Named(string property) => $"{nameof(RedisIdempotencyStoreOptions)}.{property}";
}
