using System.Net.Http.Headers;

namespace Idempotency.Http;

/// <summary>Buffers a response body, so that later readers still find all of it.</summary>
internal static class AnswerBody
{
    /// <summary>
    /// Reads the body up to a limit, and replaces the content with one that has the same headers, the data that was read and the rest, if there is any.
    /// (<see cref="HttpContent.LoadIntoBufferAsync(long, CancellationToken)"/> would lose the data of a body that exceeds its limit.)
    /// </summary>
    /// <returns>The body, if it is within the limit.</returns>
    public static async ValueTask<ReadOnlyMemory<byte>?> ReadAheadAsync(HttpResponseMessage response, long limit, bool async, CancellationToken cancellationToken)
    {
        var content = response.Content;
        if (content.Headers.ContentLength is { } length && (length > limit || length == 0))
        {
            return length == 0 ? ReadOnlyMemory<byte>.Empty : null;
        }

        var stream = async ? await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false) : content.ReadAsStream(cancellationToken);
        var read = new MemoryStream();
        var buffer = new byte[8192];
        var isWhole = false;
        try
        {
            while (!isWhole && read.Length <= limit)
            {
                var count = async ? await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) : stream.Read(buffer);
                read.Write(buffer, 0, count);
                isWhole = count == 0;
            }
        }
        catch (IOException broken)
        {
            // The exception that HttpClient throws when it reads the body itself.
            throw new HttpRequestException((broken as HttpIOException)?.HttpRequestError ?? HttpRequestError.Unknown, "The connection was lost while the response was being read.", broken);
        }

        var body = read.GetBuffer().AsMemory(0, (int)read.Length);
        HttpContent replacement = isWhole ? new ReadOnlyMemoryContent(body) : new StreamContent(new BegunStream(body, stream, content));
        CopyHeaders(content.Headers, replacement.Headers);
        if (isWhole)
        {
            content.Dispose(); // completely read: the connection can be reused
        }

        response.Content = replacement;
        return isWhole ? body : null;
    }

    public static void CopyHeaders(HttpContentHeaders from, HttpContentHeaders to)
    {
        foreach (var (name, values) in from.NonValidated)
        {
            to.TryAddWithoutValidation(name, values);
        }
    }
}
