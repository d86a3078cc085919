namespace Idempotency.Http;

/// <summary>Makes sure that a request body can be sent again with the same bytes: the server rejects different bytes with the same key with 422.</summary>
/// <remarks>
/// <para>The rules for contents:</para>
/// <para>1. Already in memory (bytes, text, forms): nothing to do, whatever its size.</para>
/// <para>2. Multipart: its parts decide, with one limit for all of them; the boundary is the same each time.</para>
/// <para>3. Everything else, within the limit: buffered in memory. That includes content that is serialized when it is sent (for example JSON), because the object may
/// have changed by the next time.</para>
/// <para>4. Beyond the limit: a seekable stream is rewound, unless attempts overlap; anything else is rejected.</para>
/// </remarks>
internal sealed class RepeatableBody(IdempotencyKeyOptions options)
{
    private readonly long _limit = options.MaxBufferedBodySize;
    private readonly bool _attemptsOverlap = options.AttemptsOverlap;

    /// <exception cref="InvalidOperationException">The body cannot be sent twice. Nothing was sent.</exception>
    public async ValueTask EnsureAsync(HttpRequestMessage request, bool async, CancellationToken cancellationToken)
    {
        if (request.Content is not { } content)
        {
            return;
        }

        var left = _limit;
        var isHeld = false;
        foreach (var part in Leaves(content))
        {
            var size = await HoldAsync(request, part, left, async, cancellationToken).ConfigureAwait(false);
            isHeld = size is not null;
            left -= size ?? 0;
        }

        if (isHeld && content is StreamContent)
        {
            // As bytes: hedging does not clone a request whose content is a stream, even a buffered one. It is buffered, so nothing is awaited here.
            var bytes = new ReadOnlyMemoryContent(await content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false));
            AnswerBody.CopyHeaders(content.Headers, bytes.Headers);
            request.Content = bytes;
        }
    }

    private static IEnumerable<HttpContent> Leaves(HttpContent content) => content is MultipartContent parts ? parts.SelectMany(Leaves) : [content];

    /// <returns>The number of bytes that are now buffered; null if the content was not changed.</returns>
    private async ValueTask<long?> HoldAsync(HttpRequestMessage request, HttpContent content, long left, bool async, CancellationToken cancellationToken)
    {
        if (content is ReadOnlyMemoryContent || content.GetType() is var type && (type == typeof(ByteArrayContent) || type == typeof(StringContent) || type == typeof(FormUrlEncodedContent)))
        {
            return null;
        }

        var isSeekable = content is StreamContent && content.ReadAsStream(cancellationToken).CanSeek;
        if (isSeekable && content.Headers.ContentLength > left)
        {
            return _attemptsOverlap ? throw TooLarge(request, null) : null;
        }

        try
        {
            // Does nothing if it is already buffered. There is no synchronous method; on another thread, it cannot deadlock with the caller's context.
            await (async ? content.LoadIntoBufferAsync(left, cancellationToken) : Task.Run(() => content.LoadIntoBufferAsync(left, cancellationToken), cancellationToken))
                .WaitOrAwaitAsync(async).ConfigureAwait(false);
        }
        catch (HttpRequestException full) when (full.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            throw TooLarge(request, full);
        }

        return content.Headers.ContentLength ?? 0;
    }

    private InvalidOperationException TooLarge(HttpRequestMessage request, Exception? inner) => new(
        $"The body of {request.Method} {RequestAddress.Of(request)} is not in memory and exceeds the {_limit} bytes that can be buffered for retries. Nothing was sent. "
        + $"Increase {nameof(IdempotencyKeyOptions)}.{nameof(IdempotencyKeyOptions.MaxBufferedBodySize)}, use bytes{(_attemptsOverlap ? "" : " or a seekable stream")}, or send it with a client that does not retry.",
        inner);
}
