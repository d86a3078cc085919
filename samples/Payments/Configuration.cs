using System.Globalization;
using Idempotency.AspNetCore;
using Microsoft.EntityFrameworkCore;

namespace Payments;

/// <summary>The settings of this application, in addition to those of the library.</summary>
internal static class Configuration
{
    private const string CacheTime = "CACHE_TIME_IN_SECONDS";
    private const string Database = "Database";

    /// <summary>The databases by the name in the setting <c>Database</c>; the connection string has the same name.</summary>
    private static readonly Dictionary<string, Action<DbContextOptionsBuilder, string>> Databases = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Sqlite"] = static (options, connection) => options.UseSqlite(connection),
        ["PostgreSQL"] = static (options, connection) => options.UseNpgsql(connection),
    };

    /// <summary>The stores by the name in the setting <c>Store</c>.</summary>
    private static readonly Dictionary<string, Action<IIdempotencyBuilder, IConfiguration>> Stores = new(StringComparer.OrdinalIgnoreCase)
    {
        [Database] = static (idempotency, _) => idempotency.AddEntityFrameworkCoreStore<PaymentsDb>(),
        ["InMemory"] = static (idempotency, _) => idempotency.AddInMemoryStore(),
        ["Redis"] = static (idempotency, settings) => idempotency.AddRedisStore(settings.GetSection("Redis").Bind),
        ["DynamoDB"] = static (idempotency, settings) => idempotency.AddDynamoDBStore(settings.GetSection("DynamoDB").Bind),
    };

    public static void AddConfiguredDatabase(this IServiceCollection services, IConfiguration configuration)
    {
        var (name, use) = Chosen(configuration, Database, Databases);
        services.AddDbContext<PaymentsDb>(options => use(options, configuration.GetConnectionString(name) ?? throw new InvalidOperationException($"The connection string '{name}' is missing.")));
    }

    public static void AddConfiguredStore(this IIdempotencyBuilder idempotency, IConfiguration configuration) =>
        Chosen(configuration, "Store", Stores).Value(idempotency, configuration);

    /// <summary>If the records are in the database of the payments, both are written in one transaction. With other stores, that is not possible.</summary>
    public static void ApplyTransaction(this ConfigurationManager configuration) =>
        configuration["Idempotency:DefaultPolicy:Transaction"] ??= (Chosen(configuration, "Store", Stores).Key == Database ? IdempotencyTransaction.SameAsHandler : IdempotencyTransaction.Separate).ToString();

    private static KeyValuePair<string, T> Chosen<T>(IConfiguration configuration, string setting, Dictionary<string, T> known) => configuration[setting] is { } name
        ? known.FirstOrDefault(one => one.Key.Equals(name, StringComparison.OrdinalIgnoreCase)) is { Key: not null } chosen
            ? chosen
            : throw new InvalidOperationException($"The setting '{setting}' is '{name}'. Set it to one of: {string.Join(", ", known.Keys)}.")
        : known.First();

    /// <summary>Lets the environment variable <c>CACHE_TIME_IN_SECONDS</c> override the retention in appsettings.json, for every policy that does not set its own.</summary>
    public static void ApplyCacheTime(this ConfigurationManager configuration)
    {
        // From the environment and not from the configuration, where an empty variable is the same as none, and a mistake would be ignored.
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
