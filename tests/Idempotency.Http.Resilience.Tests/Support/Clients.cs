using System.Collections.Concurrent;
using System.Net.Http.Headers;

namespace Idempotency.Http.Tests;

/// <summary>An application that calls a service, with its time in the test's hands.</summary>
internal sealed class Clients : IDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(0.25);
    private readonly ServiceProvider _services;
    private readonly ConcurrentQueue<TimeSpan> _arrivals;

    private Clients(ServiceProvider services, FakeTime time, ConcurrentQueue<TimeSpan> arrivals)
    {
        _services = services;
        _arrivals = arrivals;
        Time = time;
        Client = services.GetRequiredService<IHttpClientFactory>().CreateClient("payments");
    }

    public HttpClient Client { get; }

    public FakeTime Time { get; }

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    /// <summary>When each attempt was sent, since the beginning.</summary>
    public IReadOnlyList<TimeSpan> Arrivals => [.. _arrivals];

    /// <summary>A client named "payments" of a scripted service.</summary>
    public static Clients Of(HttpMessageHandler service, Action<IHttpClientBuilder> configure) =>
        Of("https://service.example/", builder => configure(builder.ConfigurePrimaryHttpMessageHandler(() => service)));

    /// <summary>A client named "payments" of a server.</summary>
    public static Clients Of(string address, Action<IHttpClientBuilder> configure)
    {
        var time = new FakeTime();
        var began = time.GetUtcNow();
        var arrivals = new ConcurrentQueue<TimeSpan>();
        var services = new ServiceCollection().AddSingleton<TimeProvider>(time);
        var builder = services.AddHttpClient("payments", client =>
        {
            client.BaseAddress = new Uri(address);
            client.Timeout = Timeout.InfiniteTimeSpan;
        });
        configure(builder);
        builder.AddHttpMessageHandler(() => new Recording(() => arrivals.Enqueue(time.GetUtcNow() - began)));
        return new Clients(services.BuildServiceProvider(), time, arrivals);
    }

    public Task<HttpResponseMessage> PostAsync(string body = "{}", string? key = null, CancellationToken cancellationToken = default)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "payments") { Content = new StringContent(body, MediaTypeHeaderValue.Parse("application/json")) };
        if (key is not null)
        {
            request.SetIdempotencyKey(key);
        }

        return EndAsync(Client.SendAsync(request, cancellationToken));
    }

    /// <summary>Lets time pass until a request has ended.</summary>
    public async Task<T> EndAsync<T>(Task<T> sending)
    {
        await UntilAsync(() => sending.IsCompleted, "the request has ended");
        return await sending;
    }

    /// <summary>Lets time pass until something has happened.</summary>
    public async Task UntilAsync(Func<bool> condition, string what)
    {
        await Eventually.TrueAsync(
            () =>
            {
                var holds = condition();
                if (!holds)
                {
                    Time.Advance(Step);
                }

                return holds;
            },
            what);
    }

    public void Dispose() => _services.Dispose();

    private sealed class Recording(Action record) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            record();
            return base.SendAsync(request, cancellationToken);
        }

        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            record();
            return base.Send(request, cancellationToken);
        }
    }
}
