using Idempotency.Http;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds idempotency keys to the clients of <see cref="IHttpClientFactory"/>.</summary>
public static class IdempotencyHttpClientBuilderExtensions
{
    /// <summary>
    /// Adds an <c>Idempotency-Key</c> to every POST and PATCH of this client: one per logical request, the same for all of its attempts. It
    /// does not retry: retries come from <c>AddIdempotentResilienceHandler()</c> in the package Idempotency.Http.Resilience, which includes this call, or
    /// from another handler, before or after this one.
    /// </summary>
    /// <param name="builder">The HTTP client builder.</param>
    /// <param name="configure">
    /// Configures the options of this client. Invalid options fail when the host starts, or without a host when the client is first created.
    /// Calling this method again for a client changes its options and adds no second handler.
    /// </param>
    public static IHttpClientBuilder AddIdempotencyKeys(this IHttpClientBuilder builder, Action<IdempotencyKeyOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        // The name is null for the defaults of all clients: the options then have no name either, and are not checked at start-up.
        string? name = builder.Name;
        var services = builder.Services;
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<IdempotencyKeyOptions>, KeyOptionsValidation>());
        services.AddSingleton<IConfigureOptions<IdempotencyKeyOptions>>(new ConfigureNamedOptions<IdempotencyKeyOptions>(name, configure ?? (static _ => { })));
        if (name is not null)
        {
            services.AddOptions<IdempotencyKeyOptions>(name).ValidateOnStart();
        }

        services.AddSingleton<IConfigureOptions<HttpClientFactoryOptions>>(
            new ConfigureNamedOptions<HttpClientFactoryOptions>(name, static client => client.HttpMessageHandlerBuilderActions.Add(AddHandlers)));
        return builder;
    }

    private static void AddHandlers(HttpMessageHandlerBuilder client)
    {
        if (client.AdditionalHandlers.Any(handler => handler is IdempotencyKeyHandler))
        {
            return;
        }

        client.AdditionalHandlers.Insert(0, new LogicalRequestHandler());
        client.AdditionalHandlers.Add(new IdempotencyKeyHandler(client.Services.GetRequiredService<IOptionsMonitor<IdempotencyKeyOptions>>().Get(client.Name)));
    }
}
