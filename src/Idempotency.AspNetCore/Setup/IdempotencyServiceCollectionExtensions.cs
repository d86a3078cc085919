using System.Diagnostics.CodeAnalysis;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.ApplicationModels;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers idempotency services.</summary>
public static class IdempotencyServiceCollectionExtensions
{
    /// <summary>
    /// Adds idempotency. Records are in memory until another store is added with a method of the builder. Endpoints opt in after
    /// <c>app.UseIdempotency()</c>; functions use <see cref="IIdempotentExecutor"/>, also in a host without HTTP.
    /// </summary>
    /// <param name="services">The services of the application.</param>
    /// <param name="configure">Configures the options. Invalid options fail at start-up.</param>
    public static IIdempotencyBuilder AddIdempotency(this IServiceCollection services, Action<IdempotencyOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ProcessRegistration.See();
        services.AddLogging(); // hosts have it; a bare service collection may not
        services.AddOptions<IdempotencyOptions>().ValidateOnStart();
        if (configure is not null)
        {
            services.Configure(configure);
        }

        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<IdempotencyOptions>, IdempotencyOptionsValidator>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartupFilter, StartupChecks>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<MatcherPolicy, MissingMiddlewareGuard>());
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IIdempotencyStore, InMemoryIdempotencyStore>();
        services.AddMetrics();
        services.TryAddSingleton<Telemetry>();
        services.TryAddSingleton<Incidents>();
        services.TryAddSingleton<StoreCalls>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ReplacedStoreCheck>());
        services.TryAddSingleton<CompletedRecords>();
        services.TryAddSingleton<LeaseKeeper>();
        services.TryAddSingleton<DuplicateWaiters>();
        services.TryAddSingleton<Recording>();
        services.TryAddSingleton<StepRecording>();
        services.TryAddSingleton<Claims>();
        services.TryAddSingleton<RunOnce>();
        services.TryAddSingleton<PolicyResolver>();
        services.TryAddSingleton<PolicySelectorCache>();
        services.TryAddSingleton(provider =>
        {
            var completed = provider.GetRequiredService<CompletedRecords>();
            return new RequestIdentifier(provider.GetRequiredService<PolicySelectorCache>(), key => completed.TryGet(key, out _));
        });
        services.TryAddSingleton<ResponseRulesCache>();
        services.TryAddSingleton<RequestExecutor>();
        services.TryAddSingleton<ResponseReplay>();
        services.TryAddSingleton<Rejections>();
        services.TryAddSingleton<PipelinePlacement>();
        services.TryAddEnumerable(ServiceDescriptor.Transient<IApplicationModelProvider, RunParameterProvider>());
        services.TryAddSingleton<IIdempotentExecutor, IdempotentExecutor>();
        services.TryAddSingleton<IIdempotencyRecords, IdempotencyRecords>();
        ServiceObservation.Add(services);
        return new Builder(services);
    }

    /// <summary>
    /// Adds idempotency with options from configuration, usually <c>builder.Configuration.GetSection("Idempotency")</c>: <c>Enabled</c>,
    /// <c>LocalCacheMaxEntries</c>, <c>LocalCacheMaxBytes</c>, <c>DefaultPolicy</c>, and <c>Policies</c> by name, each based on the
    /// default policy. The names are those of <see cref="IdempotencyOptions"/> and <see cref="IdempotencyPolicy"/>. The format of durations is
    /// <c>hh:mm:ss</c> or <c>d.hh:mm:ss</c>. An unknown or malformed setting fails at start-up.
    /// </summary>
    /// <param name="services">The services of the application.</param>
    /// <param name="configuration">The section. It is read once, at start-up, which fails if the section does not exist.</param>
    public static IIdempotencyBuilder AddIdempotency(this IServiceCollection services, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return services.AddIdempotency(options => PolicyConfiguration.Apply(configuration, options));
    }

    /// <summary>Uses a custom store: a singleton that dependency injection creates. The last store that is added is used; a replaced store is logged as a warning at start-up.</summary>
    public static IIdempotencyBuilder AddStore<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TStore>(this IIdempotencyBuilder builder)
        where TStore : class, IIdempotencyStore
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.Replace(ServiceDescriptor.Singleton<IIdempotencyStore, TStore>());
        builder.Services.AddSingleton(new ChosenStore(typeof(TStore)));
        return builder;
    }

    /// <summary>Uses a custom store that a factory creates once. The last store that is added is used.</summary>
    /// <param name="builder">The idempotency builder.</param>
    /// <param name="create">Creates the store from the application's services. It is called when the store is first needed, and the application disposes of the store.</param>
    public static IIdempotencyBuilder AddStore(this IIdempotencyBuilder builder, Func<IServiceProvider, IIdempotencyStore> create)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(create);
        builder.Services.Replace(ServiceDescriptor.Singleton(services => create(services)
            ?? throw new InvalidOperationException("The factory passed to AddStore(...) returned null. Return a store.")));
        return builder;
    }

    /// <summary>Stores records in the memory of this process, which is the default, with custom limits.</summary>
    public static IIdempotencyBuilder AddInMemoryStore(this IIdempotencyBuilder builder, Action<InMemoryIdempotencyStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<InMemoryIdempotencyStoreOptions>()
            .Configure(configure ?? (static _ => { }))
            .Validate(static options => options.MaxRecords > 0, "InMemoryIdempotencyStoreOptions.MaxRecords must be greater than zero.")
            .Validate(static options => options.MaxBytes > 0, "InMemoryIdempotencyStoreOptions.MaxBytes must be greater than zero.")
            .ValidateOnStart();
        return builder.AddStore<InMemoryIdempotencyStore>();
    }

    /// <summary>
    /// Encrypts and authenticates recorded responses in the store with ASP.NET Core Data Protection. A request whose record was modified, or whose
    /// Data Protection keys no longer exist, is rejected with 503 and does not run. Servers that share a store must share the keys and the application
    /// name (<c>AddDataProtection().SetApplicationName(...).PersistKeysTo...</c>), and retain the keys for at least the longest retention.
    /// </summary>
    /// <param name="builder">The idempotency builder.</param>
    /// <param name="configure">Configures the options, for example while unprotected records still exist.</param>
    public static IIdempotencyBuilder ProtectResponses(this IIdempotencyBuilder builder, Action<ResponseProtectionOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = new ResponseProtectionOptions();
        configure?.Invoke(options);
        builder.Services.AddDataProtection();
        builder.Services.Replace(ServiceDescriptor.Singleton(services => new ResponseProtection(services.GetRequiredService<IDataProtectionProvider>(), options)));
        return builder;
    }

    private sealed class Builder(IServiceCollection services) : IIdempotencyBuilder
    {
        public IServiceCollection Services => services;
    }
}
