namespace Idempotency.Http;

/// <summary>
/// Stands outside of every other handler of the client and marks where a logical request begins, so that a handler between here and
/// <see cref="IdempotencyKeyHandler"/> which sends it several times, itself or in clones, sends it with one key.
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
