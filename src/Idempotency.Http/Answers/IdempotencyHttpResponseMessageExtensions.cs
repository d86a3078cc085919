using Idempotency.Http;

namespace System.Net.Http;

/// <summary>Reads the idempotency information of a response.</summary>
public static class IdempotencyHttpResponseMessageExtensions
{
    /// <summary>
    /// Reads the idempotency information of a response: whether it is a replay, the problem if there is one, and what a retry would do. It works with any client; the key is known if
    /// the request was sent through <see cref="IdempotencyKeyHandler"/>.
    /// </summary>
    /// <remarks>
    /// Only the body of a problem (<c>application/problem+json</c>, up to 64 KiB) is read, and it can be read again. If the request was sent with
    /// <see cref="HttpCompletionOption.ResponseHeadersRead"/>, call this method before you read <see cref="HttpResponseMessage.Content"/>; the content may
    /// then be replaced by one with the same bytes and headers.
    /// </remarks>
    /// <param name="response">The response.</param>
    /// <param name="cancellationToken">Cancels reading the body.</param>
    /// <returns>The idempotency information.</returns>
    /// <exception cref="HttpRequestException">The connection was lost while the body was being read.</exception>
    public static async Task<IdempotencyResult> ReadIdempotencyResultAsync(this HttpResponseMessage response, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(response);
        var key = response.RequestMessage?.GetIdempotencyKey();
        var problem = await response.ReadProblemAsync(cancellationToken).ConfigureAwait(false);
        return new IdempotencyResult(
            key,
            RetryRules.IsReplay(response),
            RetryRules.IsNotStored(response),
            problem.Code,
            RetryRules.Advise(response, key is not null, problem),
            RetryAfter.Of(response, TimeProvider.System));
    }

    internal static async ValueTask<Problem> ReadProblemAsync(this HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var content = response.Content;
        if (!Problem.IsAnnouncedBy(content) || content.Headers.ContentLength > Problem.MaxSize)
        {
            return default;
        }

        // A body of known length fits, and a buffered one may have been read: the buffer works for both, and the content stays the same object.
        if (content.Headers.ContentLength is not null)
        {
            await content.LoadIntoBufferAsync(cancellationToken).ConfigureAwait(false);
            return Problem.Parse(await content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false));
        }

        return await AnswerBody.ReadAheadAsync(response, Problem.MaxSize, async: true, cancellationToken).ConfigureAwait(false) is { } body
            ? Problem.Parse(body.Span)
            : default;
    }
}
