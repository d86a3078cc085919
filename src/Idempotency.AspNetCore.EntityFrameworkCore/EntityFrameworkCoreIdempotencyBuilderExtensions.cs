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
    /// Keeps records in the database of an EF Core context, on PostgreSQL, SQL Server, MariaDB, MySQL or SQLite. The context is registered as usual (<c>AddDbContext</c>, pooled or not, or a factory), and its
    /// <c>OnModelCreating</c> calls <see cref="IdempotencyModelBuilderExtensions.AddIdempotencyRecords"/>; what is missing fails at start-up.
    /// </summary>
    /// <typeparam name="TDbContext">The context: the one that handlers write with, where their effects shall commit together with their answers.</typeparam>
    /// <param name="builder">What <c>AddIdempotency()</c> returned.</param>
    /// <param name="configure">Sets the options; what makes no sense fails at start-up.</param>
    public static IIdempotencyBuilder AddEntityFrameworkCoreStore<[DynamicallyAccessedMembers(WhatContextsNeed)] TDbContext>(this IIdempotencyBuilder builder, Action<EntityFrameworkCoreIdempotencyStoreOptions>? configure = null)
        where TDbContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<EntityFrameworkCoreIdempotencyStoreOptions>()
            .Configure(configure ?? (static _ => { }))
            .Validate(static options => options.CommandTimeout > TimeSpan.Zero && options.CommandTimeout <= TimeSpan.FromHours(1), "EntityFrameworkCoreIdempotencyStoreOptions.CommandTimeout must be more than zero and at most an hour; the default is 10 seconds.")
            .Validate(static options => options.RemovalInterval >= TimeSpan.Zero && options.RemovalInterval <= TimeSpan.FromDays(1), "EntityFrameworkCoreIdempotencyStoreOptions.RemovalInterval must be at most a day, or zero to remove nothing; the default is 5 minutes.")
            .Validate(static options => options.RemovalBatchSize > 0, "EntityFrameworkCoreIdempotencyStoreOptions.RemovalBatchSize must be more than zero; the default is 1000.")
            .Validate(static options => options.IsolationLevel is null or IsolationLevel.ReadCommitted or IsolationLevel.RepeatableRead or IsolationLevel.Snapshot or IsolationLevel.Serializable, "EntityFrameworkCoreIdempotencyStoreOptions.IsolationLevel must be ReadCommitted, RepeatableRead, Snapshot or Serializable, or null for the database's own.")
            .ValidateOnStart();
        builder.Services.ConfigureDbContext<TDbContext>(static options => options.AddInterceptors(TransactionGuard.Instance));
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, StoreStartupCheck<TDbContext>>());
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ExpiredRecordsRemoval<TDbContext>>());
        return builder.AddStore<EntityFrameworkCoreIdempotencyStore<TDbContext>>();
    }
}
