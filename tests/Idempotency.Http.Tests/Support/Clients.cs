using Microsoft.Extensions.Logging;

namespace Idempotency.Http.Tests;

/// <summary>An application that calls a service, with its time in the test's hands.</summary>
internal sealed class Clients : IDisposable
{
    private readonly ServiceProvider _services;

    private Clients(ServiceProvider services, FakeTimeProvider time, FakeLogCollector logs)
    {
        _services = services;
        Time = time;
        Logs = logs;
        Client = services.GetRequiredService<IHttpClientFactory>().CreateClient("payments");
    }

    public HttpClient Client { get; }

    public FakeTimeProvider Time { get; }

    public FakeLogCollector Logs { get; }

    /// <summary>A client named "payments" of a scripted service.</summary>
    /// <param name="service">The service.</param>
    /// <param name="configure">Its options.</param>
    /// <param name="outside">Handlers that are added before the keys.</param>
    /// <param name="inside">Handlers that are added after them.</param>
    public static Clients Of(HttpMessageHandler service, Action<IdempotencyKeyOptions>? configure = null, Action<IHttpClientBuilder>? outside = null, Action<IHttpClientBuilder>? inside = null)
    {
        var time = new FakeTimeProvider();
        var logs = new FakeLogCollector();
        var services = new ServiceCollection().AddSingleton<TimeProvider>(time).AddLogging(logging => logging.AddProvider(new FakeLoggerProvider(logs)).SetMinimumLevel(LogLevel.Debug));
        var builder = services.AddHttpClient("payments", client =>
        {
            client.BaseAddress = new Uri("https://service.example/");
            client.Timeout = Timeout.InfiniteTimeSpan;
        }).ConfigurePrimaryHttpMessageHandler(() => service);
        outside?.Invoke(builder);
        builder.AddIdempotencyKeys(configure);
        inside?.Invoke(builder);
        return new Clients(services.BuildServiceProvider(), time, logs);
    }

    /// <summary>A client that retries, without random waits: what remains is what the server asks for.</summary>
    public static Clients Retrying(HttpMessageHandler service, Action<IdempotencyRetryOptions>? configure = null, Action<IdempotencyKeyOptions>? keys = null, Action<IHttpClientBuilder>? inside = null) =>
        Of(
            service,
            options =>
            {
                options.Retry = new IdempotencyRetryOptions { BaseDelay = TimeSpan.Zero };
                configure?.Invoke(options.Retry);
                keys?.Invoke(options);
            },
            inside: inside);

    public Task<HttpResponseMessage> PostAsync(string body = "{}", CancellationToken cancellationToken = default) => Client.PostAsync("payments", new StringContent(body), cancellationToken);

    public void Dispose() => _services.Dispose();
}
