namespace Idempotency.Http;

/// <summary>Runs inside the retries: every attempt starts with the same request, and its response is complete when it ends.</summary>
/// <remarks>
/// <para>1. Each attempt starts with the request of the first one, regardless of changes that a redirect or an inner handler made to the message.</para>
/// <para>2. The response body is read within the attempt: a connection that is lost in the middle of it is retried, and a slow body counts against the attempt timeout.</para>
/// </remarks>
/// <param name="maxBufferedResponseSize">The maximum size of a body to buffer, in bytes.</param>
internal sealed class AttemptHandler(long maxBufferedResponseSize) : DelegatingHandler
{
    private static int _instances;

    // One key per handler: if pipelines are nested, each starts its attempts with the request that it received first.
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
            : AttemptAsync(request, async: false, cancellationToken).AsTask().GetAwaiter().GetResult(); // has already completed, because nothing in it awaits
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
    /// Does not read the body of a response that is marked as not recorded: the request ran, and if reading failed, a retry could run it again.
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
