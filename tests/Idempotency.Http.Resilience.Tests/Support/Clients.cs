using System.Collections.Concurrent;
using System.Net.Http.Headers;

namespace Idempotency.Http.Tests;

/// <summary>An application that calls a service, with its time in the test's hands.</summary>
internal sealed class Clients : IDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(0.25);
    private readonly ServiceProvider _services;

    private readonly Attempts _attempts;
    private readonly bool _isReal;

    private Clients(ServiceProvider services, FakeTimeProvider time, Attempts attempts, bool isReal)
    {
        _services = services;
        _attempts = attempts;
        _isReal = isReal;
        Time = time;
    }

    public HttpClient Client => field ??= _services.GetRequiredService<IHttpClientFactory>().CreateClient("payments");

    public FakeTimeProvider Time { get; }

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    /// <summary>When each attempt was sent, since the beginning.</summary>
    public IReadOnlyList<TimeSpan> Arrivals => [.. _attempts.Arrivals];

    /// <summary>A client of a scripted service, which answers at once: time passes steadily.</summary>
    public static Clients Of(HttpMessageHandler service, Action<IHttpClientBuilder> configure) => Of(
        services => services.AddHttpClient("payments"), "https://service.example/", builder => configure(builder.ConfigurePrimaryHttpMessageHandler(() => service)), isReal: false);

    /// <summary>A client of a server, which takes its own time: the client's stands still while an attempt is under way.</summary>
    public static Clients Of(string address, Action<IHttpClientBuilder> configure, Func<IServiceCollection, IHttpClientBuilder>? add = null) =>
        Of(add ?? (services => services.AddHttpClient("payments")), address, configure, isReal: true);

    private static Clients Of(Func<IServiceCollection, IHttpClientBuilder> add, string address, Action<IHttpClientBuilder> configure, bool isReal)
    {
        var time = new FakeTimeProvider();
        var attempts = new Attempts(time);
        var services = new ServiceCollection().AddSingleton<TimeProvider>(time);
        var builder = add(services).ConfigureHttpClient(client =>
        {
            client.BaseAddress = new Uri(address);
            client.Timeout = Timeout.InfiniteTimeSpan;
        });
        configure(builder);
        builder.AddHttpMessageHandler(() => new Recording(attempts));
        return new Clients(services.BuildServiceProvider(), time, attempts, isReal);
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
    public Task UntilAsync(Func<bool> condition, string what) => Eventually.TrueAsync(
        () =>
        {
            var holds = condition();
            if (!holds && !(_isReal && _attempts.AreUnderWay))
            {
                Time.Advance(Step);
            }

            return holds;
        },
        what);

    public void Dispose() => _services.Dispose();

    private sealed class Attempts(FakeTimeProvider time)
    {
        private readonly DateTimeOffset _began = time.GetUtcNow();
        private int _underWay;

        public ConcurrentQueue<TimeSpan> Arrivals { get; } = new();

        public bool AreUnderWay => Volatile.Read(ref _underWay) > 0;

        public void Begin()
        {
            Interlocked.Increment(ref _underWay);
            Arrivals.Enqueue(time.GetUtcNow() - _began);
        }

        public void End() => Interlocked.Decrement(ref _underWay);
    }

    private sealed class Recording(Attempts attempts) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            attempts.Begin();
            try
            {
                return await base.SendAsync(request, cancellationToken);
            }
            finally
            {
                attempts.End();
            }
        }

        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            attempts.Begin();
            try
            {
                return base.Send(request, cancellationToken);
            }
            finally
            {
                attempts.End();
            }
        }
    }
}
