using Idempotency.Http;

namespace System.Net.Http;

/// <summary>Reads what an answer says about idempotency.</summary>
public static class IdempotencyHttpResponseMessageExtensions
{
    /// <summary>
    /// What the answer says about idempotency: whether it was given before, what is wrong, and what a retry would do. Works with any client; the key is known when
    /// the request went through <see cref="IdempotencyKeyHandler"/>.
    /// </summary>
    /// <remarks>
    /// Only the body of a problem (<c>application/problem+json</c>, up to 64 KiB) is looked at, and it stays readable. Ask before you read
    /// <see cref="HttpResponseMessage.Content"/> yourself if the request was sent with <see cref="HttpCompletionOption.ResponseHeadersRead"/>; the content may
    /// then be replaced by one that has the same bytes and headers.
    /// </remarks>
    /// <param name="response">The answer.</param>
    /// <param name="cancellationToken">Ends the reading of a body that is still under way.</param>
    /// <exception cref="HttpRequestException">The connection was lost in the middle of the body.</exception>
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

        // A body of known length fits, and one that is in memory already may have been read: the buffer serves both, and the content stays the same object.
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
