using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.DependencyInjection;

namespace Idempotency.AspNetCore;

/// <summary>Puts an observer around services of the framework, whether the application adds them before <c>AddIdempotency()</c>, after it, or never.</summary>
/// <remarks>
/// 1. The service is there: it is moved under a key, and the observer takes its place. 2. It is not: the observer is registered around what the framework would register, which leaves a service that
/// is there alone (TryAdd). When the application never adds the rest of the feature, the observer is null, and to everybody the service is not there.
/// A service that replaces the observer later is not observed; one that decorates it is.
/// </remarks>
internal static class ServiceObservation
{
    public static void Add(IServiceCollection services)
    {
        // Each with a service that only the whole feature registers.
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
        // Not by its type: a container that is validated when it is built would miss the rest of the feature.
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
