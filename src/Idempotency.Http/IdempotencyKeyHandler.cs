using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Idempotency.Http;

/// <summary>
/// Gives each logical request one idempotency key, which stays with it however often it is sent, and retries it if the options say so. Usually added with
/// <c>AddHttpClient(...).AddIdempotencyKeys()</c>; by hand, <c>new HttpClient(new IdempotencyKeyHandler { InnerHandler = new SocketsHttpHandler() })</c>.
/// </summary>
/// <remarks>
/// <para>The path of a request:</para>
/// <para>1. It gets its key, unless it has one or needs none. One without a key goes through as it is.</para>
/// <para>2. Its body is made repeatable, where it may be sent again.</para>
/// <para>3. It is sent. Without retries, that is all.</para>
/// <para>4. An answer or error that may pass is followed by another attempt, a wait later, which begins where the first one began.</para>
/// <para>5. The last answer or error is the caller's, as it came.</para>
/// </remarks>
public sealed class IdempotencyKeyHandler : DelegatingHandler
{
    private readonly KeyHeader _keys;
    private readonly RepeatableBody? _bodies;
    private readonly RetrySchedule? _retries;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>A handler with options of its own.</summary>
    /// <param name="options">Read once, here. Null for the defaults.</param>
    /// <param name="timeProvider">What waits and limits are measured by. Null for the system's clock.</param>
    /// <param name="logger">Where retries are told. Null for nowhere.</param>
    /// <exception cref="ArgumentException">An option is out of bounds; the message says which, and what to set it to.</exception>
    public IdempotencyKeyHandler(IdempotencyKeyOptions? options = null, TimeProvider? timeProvider = null, ILogger<IdempotencyKeyHandler>? logger = null)
    {
        options ??= new IdempotencyKeyOptions();
        if (string.Join(" ", KeyOptionsValidation.Errors(options)) is { Length: > 0 } errors)
        {
            throw new ArgumentException(errors, nameof(options));
        }

        _keys = new KeyHeader(options);
        _bodies = options.Retry is not null || options.BufferRequestBodies ? new RepeatableBody(options) : null;
        _retries = options.Retry is { } retry ? new RetrySchedule(retry) : null;
        _time = timeProvider ?? TimeProvider.System;
        _logger = logger ?? NullLogger<IdempotencyKeyHandler>.Instance;
    }

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return !_keys.Stamp(request) || _bodies is null
            ? base.SendAsync(request, cancellationToken)
            : SendAsync(request, _bodies, async: true, cancellationToken).AsTask();
    }

    /// <inheritdoc/>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return !_keys.Stamp(request) || _bodies is null
            ? base.Send(request, cancellationToken)
            : SendAsync(request, _bodies, async: false, cancellationToken).AsTask().GetAwaiter().GetResult(); // has ended already: nothing in it awaits
    }

    private async ValueTask<HttpResponseMessage> SendAsync(HttpRequestMessage request, RepeatableBody bodies, bool async, CancellationToken cancellationToken)
    {
        await bodies.EnsureAsync(request, async, cancellationToken).ConfigureAwait(false);
        if (_retries is null)
        {
            return async ? await base.SendAsync(request, cancellationToken).ConfigureAwait(false) : base.Send(request, cancellationToken);
        }

        var original = new RequestSnapshot(request);
        var (method, address) = (request.Method, RequestAddress.Of(request));
        var started = _time.GetTimestamp();
        for (var number = 1; ; number++)
        {
            var attempt = await TryAsync(request, _retries, _retries.LimitOfAttempt(_time.GetElapsedTime(started)), async, cancellationToken).ConfigureAwait(false);
            if (!attempt.IsRetried)
            {
                return attempt.End();
            }

            if (_retries.WaitAfter(number, attempt.RetryAfter, _time.GetElapsedTime(started), out var reason) is not { } wait)
            {
                Log.GaveUp(_logger, method, address, number, attempt.Outcome, reason);
                return attempt.End();
            }

            Log.Retrying(_logger, method, address, number, attempt.Outcome, wait);
            attempt.Discard();
            await Task.Delay(wait, _time, cancellationToken).WaitOrAwaitAsync(async).ConfigureAwait(false);
            original.Restore(request);
        }
    }

    /// <summary>Sends the request once. What the caller cancels, and what is no matter of the connection, is thrown on at once.</summary>
    private async ValueTask<Attempt> TryAsync(HttpRequestMessage request, RetrySchedule retries, TimeSpan? limit, bool async, CancellationToken cancellationToken)
    {
        using var timeout = limit is { } span ? new CancellationTokenSource(span, _time) : null;
        using var either = timeout is null ? null : CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var token = either?.Token ?? cancellationToken;
        HttpResponseMessage? response = null;
        try
        {
            response = async ? await base.SendAsync(request, token).ConfigureAwait(false) : base.Send(request, token);
            var problem = await ReadAheadAsync(response, retries.MaxBufferedResponseSize, async, token).ConfigureAwait(false);
            var attempt = new Attempt(response, RetryRules.IsRetried(response, problem), RetryAfter.Of(response, _time));
            response = null;
            return attempt;
        }
        catch (OperationCanceledException cancelled) when (cancellationToken.IsCancellationRequested && cancelled.CancellationToken != cancellationToken)
        {
            throw new TaskCanceledException(cancelled.Message, cancelled, cancellationToken);
        }
        catch (OperationCanceledException late) when (!cancellationToken.IsCancellationRequested && timeout is { IsCancellationRequested: true })
        {
            var message = $"An attempt took longer than the {limit} it had ({nameof(IdempotencyRetryOptions)}.{nameof(IdempotencyRetryOptions.AttemptTimeout)}, or what was left of {nameof(IdempotencyRetryOptions.MaxDuration)}).";
            return new Attempt(new TaskCanceledException(message, new TimeoutException(message, late), late.CancellationToken), isRetried: true);
        }
        catch (OperationCanceledException late) when (!cancellationToken.IsCancellationRequested && late.InnerException is TimeoutException)
        {
            return new Attempt(late, isRetried: true); // a limit further inside, such as SocketsHttpHandler.ConnectTimeout
        }
        catch (HttpRequestException error) when (!cancellationToken.IsCancellationRequested)
        {
            return new Attempt(error, RetryRules.IsRetried(error));
        }
        finally
        {
            response?.Dispose(); // its body could not be read to the end
        }
    }

    /// <summary>
    /// Reads the answer's body while there is still time for another attempt. Not that of an answer which says that it is not recorded: the request was carried out, and
    /// however the reading ends, a retry might carry it out again.
    /// </summary>
    private static async ValueTask<Problem> ReadAheadAsync(HttpResponseMessage response, long limit, bool async, CancellationToken cancellationToken)
    {
        var isProblem = Problem.IsAnnouncedBy(response.Content);
        limit = isProblem ? Math.Max(limit, Problem.MaxSize) : limit;
        if (limit == 0 || RetryRules.IsNotStored(response) || string.Equals(response.Content.Headers.ContentType?.MediaType, "text/event-stream", StringComparison.OrdinalIgnoreCase))
        {
            return default;
        }

        var body = await AnswerBody.ReadAheadAsync(response, limit, async, cancellationToken).ConfigureAwait(false);
        return isProblem && body is { } json ? Problem.Parse(json.Span) : default;
    }
}
