using Idempotency.Http;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds idempotency keys to the clients of <see cref="IHttpClientFactory"/>.</summary>
public static class IdempotencyHttpClientBuilderExtensions
{
    /// <summary>
    /// Gives every POST and PATCH of this client an <c>Idempotency-Key</c>: one for each logical request, the same however often a handler of the client sends it. It
    /// sends nothing again by itself: retries come from <c>AddIdempotentResilienceHandler()</c> of the package Idempotency.Http.Resilience, which includes this call, or
    /// from another handler, before or after this one.
    /// </summary>
    /// <param name="builder">What <c>AddHttpClient(...)</c> returned, or the parameter of <c>ConfigureHttpClientDefaults(...)</c>.</param>
    /// <param name="configure">
    /// Sets the options of this client; each has its own. Options out of bounds fail when the host starts, or without a host when the client is first made.
    /// Calling this again for a client changes its options and adds no second handler.
    /// </param>
    public static IHttpClientBuilder AddIdempotencyKeys(this IHttpClientBuilder builder, Action<IdempotencyKeyOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        // The name is null for the defaults of all clients: then so are the options' name, and the check at start-up has none to ask for.
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
