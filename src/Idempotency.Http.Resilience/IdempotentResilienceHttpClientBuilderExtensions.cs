using Idempotency.Http;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using Polly;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds retries and hedging that support idempotency keys to the clients of <see cref="IHttpClientFactory"/>.</summary>
public static class IdempotentResilienceHttpClientBuilderExtensions
{
    /// <summary>
    /// Adds idempotency keys and the standard resilience pipeline (rate limiter, total timeout, retry, circuit breaker, attempt timeout), which retries requests
    /// with the same key. Use it instead of <c>AddIdempotencyKeys().AddStandardResilienceHandler()</c>.
    /// </summary>
    /// <remarks>
    /// <para>
    /// After a 409 with the code <c>idempotency-request-in-progress</c>, the request is sent again after its <c>Retry-After</c>, until
    /// <see cref="HttpStandardResilienceOptions.TotalRequestTimeout"/> ends, without using up <c>Retry.MaxRetryAttempts</c>. Connection errors, attempt timeouts,
    /// incomplete responses, 408, 425, 429, 500, 502, 503 and 504 are retried. A replay, a response with <c>Idempotency-Stored: false</c>, every other 409, 400 and 422 are final.
    /// </para>
    /// <para>
    /// Requests without a key follow the standard rules if their method is idempotent (RFC 9110 section 9.2.2); a POST or PATCH without a key is sent once.
    /// </para>
    /// </remarks>
    /// <param name="builder">The HTTP client builder.</param>
    /// <param name="configure">
    /// Configures the standard pipeline. <c>Retry.ShouldHandle</c> and <c>Retry.DelayGenerator</c> contain the rules of this package; setting them, or
    /// <c>Retry.ShouldRetryAfterHeader</c>, replaces the rules.
    /// </param>
    /// <returns>The builder of the standard pipeline.</returns>
    public static IHttpStandardResiliencePipelineBuilder AddIdempotentResilienceHandler(this IHttpClientBuilder builder, Action<HttpStandardResilienceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddIdempotencyKeys(static options => options.BufferRequestBodies = true);
        IHttpStandardResiliencePipelineBuilder? standard = null;

        // Outside the standard pipeline, for two reasons. Each wait is followed by a full set of attempts, because a busy service has not failed. And the
        // total timeout must cover all of them.
        builder.AddResilienceHandler("idempotency", (pipeline, context) =>
        {
            context.EnableReloads<HttpStandardResilienceOptions>(standard!.PipelineName);
            var total = context.GetOptions<HttpStandardResilienceOptions>(standard.PipelineName).TotalRequestTimeout;
            pipeline.AddTimeout(total).AddRetry(InProgressRetry.WithinTotal(total, TimeOf(context.ServiceProvider)));
        });
        standard = builder.AddStandardResilienceHandler();
        builder.Services.AddOptions<HttpStandardResilienceOptions>(standard.PipelineName).Configure<IServiceProvider>((options, services) =>
        {
            var time = TimeOf(services);
            var isTransient = options.Retry.ShouldHandle;
            options.Retry.ShouldHandle = async args => await RetryVerdicts.OfAsync(
                args.Context, args.Outcome, _ => isTransient(args), options.TotalRequestTimeout.Timeout, time).ConfigureAwait(false) == RetryVerdict.Retry;
            options.Retry.DelayGenerator = args => ValueTask.FromResult(RetryDelay.Asked(args.Outcome.Result, time));
        });
        if (configure is not null)
        {
            standard.Configure(configure);
        }

        builder.AddHandlers(AddAttempt);
        return standard;
    }

    /// <summary>
    /// Adds idempotency keys and the standard hedging handler: a request with a late response is sent again with the same key while the first attempt is still running,
    /// and the first final response wins. A 409 with the code <c>idempotency-request-in-progress</c> never wins: that attempt retries after <c>Retry-After</c>, until it
    /// gets the response or another attempt does. An attempt whose connection was lost therefore costs no more than the hedging delay.
    /// </summary>
    /// <remarks>
    /// Requests with a key are hedged, and by the standard rules those whose method is idempotent (RFC 9110 section 9.2.2). A POST or PATCH without a key is sent once. A
    /// body is buffered in memory; a stream larger than <see cref="IdempotencyKeyOptions.MaxBufferedBodySize"/> cannot be hedged and is rejected.
    /// </remarks>
    /// <param name="builder">The HTTP client builder.</param>
    /// <param name="configure">Configures the addresses of hedged attempts; the same address by default. Other addresses must share their idempotency records with it.</param>
    /// <returns>The builder of the standard hedging handler, whose <c>Configure</c> changes its options.</returns>
    public static IStandardHedgingHandlerBuilder AddIdempotentHedgingHandler(this IHttpClientBuilder builder, Action<IRoutingStrategyBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddIdempotencyKeys(static options => options.BufferRequestBodies = options.AttemptsOverlap = true);
        var standard = builder.AddStandardHedgingHandler();
        configure?.Invoke(standard.RoutingStrategyBuilder);
        builder.Services.AddOptions<HttpStandardHedgingResilienceOptions>(builder.Name).Configure<IServiceProvider>((options, services) =>
        {
            var time = TimeOf(services);
            var isTransient = options.Hedging.ShouldHandle;
            options.Hedging.ShouldHandle = async args => await RetryVerdicts.OfAsync(
                args.Context, args.Outcome, _ => isTransient(args), TimeSpan.MaxValue, time).ConfigureAwait(false) != RetryVerdict.Final;
            options.Hedging.DelayGenerator = args => ValueTask.FromResult(RetryVerdicts.MayBeSentAgain(args.Context) ? options.Hedging.Delay : Timeout.InfiniteTimeSpan);
        });
        builder.AddResilienceHandler("idempotency-hedging", (pipeline, context) =>
        {
            context.EnableReloads<HttpStandardHedgingResilienceOptions>(builder.Name);
            var total = context.GetOptions<HttpStandardHedgingResilienceOptions>(builder.Name).TotalRequestTimeout;
            pipeline.AddRetry(InProgressRetry.WithinTotal(total, TimeOf(context.ServiceProvider)));
        });

        // The last two handlers are now that of an endpoint, with the attempt timeout, and the one that waits. They are swapped: the wait belongs to a
        // hedged attempt, but not to its timeout.
        builder.AddHandlers(static client =>
        {
            var handlers = client.AdditionalHandlers;
            (handlers[^2], handlers[^1]) = (handlers[^1], handlers[^2]);
            AddAttempt(client);
        });
        return standard;
    }

    /// <summary>Unlike <c>AddHttpMessageHandler</c>, it has the name of the client, which the builder of the defaults of all clients does not have.</summary>
    private static void AddHandlers(this IHttpClientBuilder builder, Action<HttpMessageHandlerBuilder> add) =>
        builder.Services.AddSingleton<IConfigureOptions<HttpClientFactoryOptions>>(
            new ConfigureNamedOptions<HttpClientFactoryOptions>(builder.Name, client => client.HttpMessageHandlerBuilderActions.Add(add)));

    private static void AddAttempt(HttpMessageHandlerBuilder client) =>
        client.AdditionalHandlers.Add(new AttemptHandler(client.Services.GetRequiredService<IOptionsMonitor<IdempotencyKeyOptions>>().Get(client.Name).MaxBufferedResponseSize));

    private static TimeProvider TimeOf(IServiceProvider services) => services.GetService<TimeProvider>() ?? TimeProvider.System;
}
