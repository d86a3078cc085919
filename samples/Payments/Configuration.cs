using System.Globalization;
using Idempotency.AspNetCore;

namespace Payments;

/// <summary>What this application lets its operator choose beside the library's own settings.</summary>
internal static class Configuration
{
    private const string CacheTime = "CACHE_TIME_IN_SECONDS";

    /// <summary>The stores by the name the setting <c>Store</c> gives them. One more is one more line.</summary>
    private static readonly Dictionary<string, Action<IIdempotencyBuilder, IConfiguration>> Stores = new(StringComparer.OrdinalIgnoreCase)
    {
        ["InMemory"] = static (idempotency, _) => idempotency.AddInMemoryStore(),
        ["Redis"] = static (idempotency, settings) => idempotency.AddRedisStore(settings.GetSection("Redis").Bind),
        ["DynamoDB"] = static (idempotency, settings) => idempotency.AddDynamoDBStore(settings.GetSection("DynamoDB").Bind),
    };

    public static void AddConfiguredStore(this IIdempotencyBuilder idempotency, IConfiguration configuration)
    {
        var name = configuration["Store"] ?? "InMemory";
        if (!Stores.TryGetValue(name, out var add))
        {
            throw new InvalidOperationException($"The setting 'Store' is '{name}'. Set it to one of: {string.Join(", ", Stores.Keys)}.");
        }

        add(idempotency, configuration);
    }

    /// <summary>Lets the environment variable <c>CACHE_TIME_IN_SECONDS</c> overrule the retention in appsettings.json, for every policy that does not set its own.</summary>
    public static void ApplyCacheTime(this ConfigurationManager configuration)
    {
        // From the environment and not from the configuration: there an empty variable is as good as none, and a mistake would be ignored.
        if (Environment.GetEnvironmentVariable(CacheTime) is not { } text)
        {
            return;
        }

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds == 0)
        {
            throw new InvalidOperationException($"The environment variable {CacheTime} is '{text}'. Set it to a whole number of seconds more than 0, for example 3600, or remove it.");
        }

        configuration["Idempotency:DefaultPolicy:Retention"] = TimeSpan.FromSeconds(seconds).ToString("c", CultureInfo.InvariantCulture);
    }
}
