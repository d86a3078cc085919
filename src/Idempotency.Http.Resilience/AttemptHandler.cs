namespace Idempotency.Http;

/// <summary>Stands inside of the retries: every attempt begins alike, and its response is complete when it ends.</summary>
/// <remarks>
/// <para>1. Each attempt begins where the first one began, whatever a redirect or a handler further inside did to the message.</para>
/// <para>2. The body of the response is read within the attempt: a connection that is lost in the middle of it is a reason for a retry, and a slow body counts against the attempt's timeout.</para>
/// </remarks>
/// <param name="maxBufferedResponseSize">How much of a body is read ahead, in bytes.</param>
internal sealed class AttemptHandler(long maxBufferedResponseSize) : DelegatingHandler
{
    private static int _instances;

    // Of its own: where pipelines are nested, each begins its attempts where it saw the first of them begin.
    private readonly HttpRequestOptionsKey<RequestSnapshot> _beginning = new($"Idempotency.Http.Beginning.{Interlocked.Increment(ref _instances)}");

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.GetIdempotencyKey() is null ? base.SendAsync(request, cancellationToken) : AttemptAsync(request, async: true, cancellationToken).AsTask();
    }

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.GetIdempotencyKey() is null
            ? base.Send(request, cancellationToken)
            : AttemptAsync(request, async: false, cancellationToken).AsTask().GetAwaiter().GetResult(); // has ended already: nothing in it awaits
    }

    private async ValueTask<HttpResponseMessage> AttemptAsync(HttpRequestMessage request, bool async, CancellationToken cancellationToken)
    {
        if (request.Options.TryGetValue(_beginning, out var beginning))
        {
            beginning.Restore(request);
        }
        else
        {
            request.Options.Set(_beginning, new RequestSnapshot(request));
        }

        var response = async ? await base.SendAsync(request, cancellationToken).ConfigureAwait(false) : base.Send(request, cancellationToken);
        try
        {
            await ReadAheadAsync(response, async, cancellationToken).ConfigureAwait(false);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Not the body of a response that says that it is not recorded: the request was carried out, and however the reading ends, a retry might carry it out again.
    /// </summary>
    private async ValueTask ReadAheadAsync(HttpResponseMessage response, bool async, CancellationToken cancellationToken)
    {
        var limit = Problem.IsAnnouncedBy(response.Content) ? Math.Max(maxBufferedResponseSize, Problem.MaxSize) : maxBufferedResponseSize;
        if (limit > 0 && !RetryRules.IsNotStored(response) && !string.Equals(response.Content.Headers.ContentType?.MediaType, "text/event-stream", StringComparison.OrdinalIgnoreCase))
        {
            await AnswerBody.ReadAheadAsync(response, limit, async, cancellationToken).ConfigureAwait(false);
        }
    }
}
