using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.DependencyInjection;

namespace Idempotency.AspNetCore;

/// <summary>Wraps services of the framework, whether the application adds them before <c>AddIdempotency()</c>, after it, or never.</summary>
/// <remarks>
/// 1. The service is registered: it is moved to a key, and the wrapper takes its place. 2. It is not registered: a wrapper around the framework's default is registered, and the framework's own registration
/// (TryAdd) leaves it alone. If the application never adds the rest of the feature, the wrapper resolves to null, as if the service were not registered.
/// A service that replaces the wrapper later is not observed; one that decorates it is.
/// </remarks>
internal static class ServiceObservation
{
    public static void Add(IServiceCollection services)
    {
        // Each with a service that is only registered with the whole feature.
        Observe<IAuthenticationService, IAuthenticationSchemeProvider>(services, static framework => framework.AddAuthenticationCore(), static inner => new ObservedAuthentication(inner));
        Observe<IAntiforgery, IAntiforgeryAdditionalDataProvider>(services, static framework => framework.AddAntiforgery(), static inner => new ObservedAntiforgery(inner));
    }

    private static void Observe<TService, TFeature>(IServiceCollection services, Action<IServiceCollection> addFeature, Func<TService, TService> observe)
        where TService : class
        where TFeature : class
    {
        var known = services.LastOrDefault(static service => service.ServiceType == typeof(TService) && !service.IsKeyedService);
        if (known?.ImplementationFactory?.Target is Observer<TService>)
        {
            return; // AddIdempotency() was called before
        }

        if (known is not null)
        {
            var key = new object();
            services.Remove(known);
            services.Add(
                known.ImplementationType is { } type ? new ServiceDescriptor(typeof(TService), key, type, known.Lifetime)
                : known.ImplementationFactory is { } factory ? new ServiceDescriptor(typeof(TService), key, (provider, _) => factory(provider), known.Lifetime)
                : new ServiceDescriptor(typeof(TService), key, known.ImplementationInstance!));
            services.Add(new ServiceDescriptor(typeof(TService), new Observer<TService>(provider => provider.GetRequiredKeyedService<TService>(key), observe).Create, known.Lifetime));
            return;
        }

        var framework = new ServiceCollection();
        addFeature(framework);
        var usual = framework.Last(static service => service.ServiceType == typeof(TService));
        // Not by its type: a container that is validated when it is built would report the missing services of the feature.
        var create = ActivatorUtilities.CreateFactory(usual.ImplementationType!, Type.EmptyTypes);
        services.Add(new ServiceDescriptor(
            typeof(TService),
            new Observer<TService>(provider => provider.GetService<TFeature>() is null ? null : (TService)create(provider, null), observe).Create,
            usual.Lifetime));
    }

    private sealed class Observer<TService>(Func<IServiceProvider, TService?> inner, Func<TService, TService> observe)
        where TService : class
    {
        public object Create(IServiceProvider provider) => inner(provider) is { } service ? observe(service) : null!;
    }
}
