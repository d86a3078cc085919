using Idempotency.Http;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using Polly;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds retries and hedging that understand idempotency keys to the clients of <see cref="IHttpClientFactory"/>.</summary>
public static class IdempotentResilienceHttpClientBuilderExtensions
{
    /// <summary>
    /// Adds idempotency keys and the standard resilience pipeline (rate limiter, total timeout, retry, circuit breaker, attempt timeout), which sends a request again
    /// only under its key. Use it instead of <c>AddIdempotencyKeys().AddStandardResilienceHandler()</c>.
    /// </summary>
    /// <remarks>
    /// <para>
    /// A 409 with the code <c>idempotency-request-in-progress</c> is waited out: the request is sent again after its <c>Retry-After</c>, until
    /// <see cref="HttpStandardResilienceOptions.TotalRequestTimeout"/> ends, and without using up <c>Retry.MaxRetryAttempts</c>. Connection errors, attempt timeouts,
    /// responses that break off, 408, 425, 429, 500, 502, 503 and 504 are retried. A replay, a response with <c>Idempotency-Stored: false</c>, every other 409, 400 and 422 are final.
    /// </para>
    /// <para>
    /// Requests without a key are retried by the standard rules if their method is idempotent (RFC 9110 section 9.2.2); a POST or PATCH without a key is sent once.
    /// </para>
    /// </remarks>
    /// <param name="builder">What <c>AddHttpClient(...)</c> returned, or the parameter of <c>ConfigureHttpClientDefaults(...)</c>.</param>
    /// <param name="configure">
    /// Changes the options of the standard pipeline. <c>Retry.ShouldHandle</c> and <c>Retry.DelayGenerator</c> hold the rules of this package; setting them, or
    /// <c>Retry.ShouldRetryAfterHeader</c>, replaces those.
    /// </param>
    /// <returns>The builder of the standard pipeline.</returns>
    public static IHttpStandardResiliencePipelineBuilder AddIdempotentResilienceHandler(this IHttpClientBuilder builder, Action<HttpStandardResilienceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddIdempotencyKeys(static options => options.BufferRequestBodies = true);
        IHttpStandardResiliencePipelineBuilder? standard = null;

        // Outside of the standard pipeline, for two reasons. Each wait is followed by a full set of attempts: a service that is still busy has not failed. And the
        // total timeout has to span all of them.
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
    /// Adds idempotency keys and the standard hedging handler: a request whose response is late is sent again, under the same key, while the first attempt still runs,
    /// and the first real response wins. A 409 with the code <c>idempotency-request-in-progress</c> never does: that attempt asks again after <c>Retry-After</c>, until it
    /// gets the response or another attempt has it. So an attempt whose connection was lost costs no more than the hedging delay.
    /// </summary>
    /// <remarks>
    /// Hedged are requests with a key, and by the standard rules those whose method is idempotent (RFC 9110 section 9.2.2). A POST or PATCH without a key is sent once. A
    /// body is held in memory; a stream larger than <see cref="IdempotencyKeyOptions.MaxBufferedBodySize"/> cannot be hedged and is rejected.
    /// </remarks>
    /// <param name="builder">What <c>AddHttpClient(...)</c> returned, or the parameter of <c>ConfigureHttpClientDefaults(...)</c>.</param>
    /// <param name="configure">Configures where hedged attempts go; the same address by default. Other addresses must share their idempotency records with it.</param>
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

        // Now the last two handlers are the one of an endpoint, with the timeout of an attempt, and the one that waits. They change places: the waiting belongs to a
        // hedged attempt, but not to its timeout.
        builder.AddHandlers(static client =>
        {
            var handlers = client.AdditionalHandlers;
            (handlers[^2], handlers[^1]) = (handlers[^1], handlers[^2]);
            AddAttempt(client);
        });
        return standard;
    }

    /// <summary>Unlike <c>AddHttpMessageHandler</c>, it knows the client's name, which the builder of the defaults of all clients does not have.</summary>
    private static void AddHandlers(this IHttpClientBuilder builder, Action<HttpMessageHandlerBuilder> add) =>
        builder.Services.AddSingleton<IConfigureOptions<HttpClientFactoryOptions>>(
            new ConfigureNamedOptions<HttpClientFactoryOptions>(builder.Name, client => client.HttpMessageHandlerBuilderActions.Add(add)));

    private static void AddAttempt(HttpMessageHandlerBuilder client) =>
        client.AdditionalHandlers.Add(new AttemptHandler(client.Services.GetRequiredService<IOptionsMonitor<IdempotencyKeyOptions>>().Get(client.Name).MaxBufferedResponseSize));

    private static TimeProvider TimeOf(IServiceProvider services) => services.GetService<TimeProvider>() ?? TimeProvider.System;
}
