using System.Data;
using System.Diagnostics.CodeAnalysis;
using Idempotency.AspNetCore;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the store in the application's own database.</summary>
public static class EntityFrameworkCoreIdempotencyBuilderExtensions
{
    // As EF Core asks it of every context.
    private const DynamicallyAccessedMemberTypes WhatContextsNeed = DynamicallyAccessedMemberTypes.PublicConstructors | DynamicallyAccessedMemberTypes.NonPublicConstructors | DynamicallyAccessedMemberTypes.PublicProperties;

    /// <summary>
    /// Stores records in the database of an EF Core context: PostgreSQL, SQL Server, MariaDB, MySQL or SQLite. Register the context as usual (<c>AddDbContext</c>, pooled or not, or a factory), and call
    /// <see cref="IdempotencyModelBuilderExtensions.AddIdempotencyRecords"/> in its <c>OnModelCreating</c>. If something is missing, start-up fails.
    /// </summary>
    /// <typeparam name="TDbContext">The context. To commit effects together with responses, use the context that handlers write with.</typeparam>
    /// <param name="builder">The idempotency builder.</param>
    /// <param name="configure">Configures the options. Invalid options fail at start-up.</param>
    public static IIdempotencyBuilder AddEntityFrameworkCoreStore<[DynamicallyAccessedMembers(WhatContextsNeed)] TDbContext>(this IIdempotencyBuilder builder, Action<EntityFrameworkCoreIdempotencyStoreOptions>? configure = null)
        where TDbContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<EntityFrameworkCoreIdempotencyStoreOptions>()
            .Configure(configure ?? (static _ => { }))
            .Validate(static options => options.CommandTimeout > TimeSpan.Zero && options.CommandTimeout <= TimeSpan.FromHours(1), "EntityFrameworkCoreIdempotencyStoreOptions.CommandTimeout must be greater than zero and at most one hour; the default is 10 seconds.")
            .Validate(static options => options.RemovalInterval >= TimeSpan.Zero && options.RemovalInterval <= TimeSpan.FromDays(1), "EntityFrameworkCoreIdempotencyStoreOptions.RemovalInterval must be between zero (expired records are not deleted) and one day; the default is 5 minutes.")
            .Validate(static options => options.RemovalBatchSize > 0, "EntityFrameworkCoreIdempotencyStoreOptions.RemovalBatchSize must be greater than zero; the default is 1000.")
            .Validate(static options => options.IsolationLevel is null or IsolationLevel.ReadCommitted or IsolationLevel.RepeatableRead or IsolationLevel.Snapshot or IsolationLevel.Serializable, "EntityFrameworkCoreIdempotencyStoreOptions.IsolationLevel must be ReadCommitted, RepeatableRead, Snapshot or Serializable, or null for the default of the database.")
            .ValidateOnStart();
        builder.Services.ConfigureDbContext<TDbContext>(static options => options.AddInterceptors(TransactionGuard.Instance));
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, StoreStartupCheck<TDbContext>>());
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ExpiredRecordsRemoval<TDbContext>>());
        return builder.AddStore<EntityFrameworkCoreIdempotencyStore<TDbContext>>();
    }
}
