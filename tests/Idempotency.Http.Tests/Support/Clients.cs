namespace Idempotency.Http.Tests;

/// <summary>An application that calls a service.</summary>
internal sealed class Clients : IDisposable
{
    private readonly ServiceProvider _services;

    private Clients(ServiceProvider services)
    {
        _services = services;
        Client = services.GetRequiredService<IHttpClientFactory>().CreateClient("payments");
    }

    public HttpClient Client { get; }

    /// <summary>A client named "payments" of a scripted service.</summary>
    /// <param name="service">The service.</param>
    /// <param name="configure">Its options.</param>
    /// <param name="outside">Handlers that are added before the keys.</param>
    /// <param name="inside">Handlers that are added after them.</param>
    public static Clients Of(HttpMessageHandler service, Action<IdempotencyKeyOptions>? configure = null, Action<IHttpClientBuilder>? outside = null, Action<IHttpClientBuilder>? inside = null)
    {
        var services = new ServiceCollection();
        var builder = services.AddHttpClient("payments", client =>
        {
            client.BaseAddress = new Uri("https://service.example/");
            client.Timeout = Timeout.InfiniteTimeSpan;
        }).ConfigurePrimaryHttpMessageHandler(() => service);
        outside?.Invoke(builder);
        builder.AddIdempotencyKeys(configure);
        inside?.Invoke(builder);
        return new Clients(services.BuildServiceProvider());
    }

    /// <summary>A client whose bodies are made repeatable, with a handler inside that sends a request up to three times.</summary>
    public static Clients Repeating(HttpMessageHandler service, Action<IdempotencyKeyOptions>? configure = null) => Of(
        service,
        options =>
        {
            options.BufferRequestBodies = true;
            configure?.Invoke(options);
        },
        inside: builder => builder.AddHttpMessageHandler(() => new Resending()));

    public Task<HttpResponseMessage> PostAsync(string body = "{}", CancellationToken cancellationToken = default) => Client.PostAsync("payments", new StringContent(body), cancellationToken);

    public void Dispose() => _services.Dispose();
}
