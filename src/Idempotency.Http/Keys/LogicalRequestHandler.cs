namespace Idempotency.Http;

/// <summary>
/// The outermost handler of the client. It marks the start of a logical request, so that a handler between this one and
/// <see cref="IdempotencyKeyHandler"/> that sends it several times, itself or as clones, uses one key.
/// </summary>
internal sealed class LogicalRequestHandler : DelegatingHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Mark(request);
        return base.SendAsync(request, cancellationToken);
    }

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Mark(request);
        return base.Send(request, cancellationToken);
    }

    private static void Mark(HttpRequestMessage request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (!KeyHeader.IsSafe(request.Method))
        {
            _ = LogicalRequest.Of(request);
        }
    }
}
