using Idempotency.Http;

namespace System.Net.Http;

/// <summary>What a caller can say about one request.</summary>
public static class IdempotencyHttpRequestMessageExtensions
{
    /// <summary>
    /// Gives the request a key of your own, instead of a generated one: that of an operation which outlives this process, for example, kept with the order it
    /// pays for. It is sent whatever the method, unless that is a safe one (GET, HEAD, OPTIONS, TRACE, QUERY), or the key header is there already.
    /// </summary>
    /// <param name="request">The request, not sent yet.</param>
    /// <param name="key">
    /// 1 to 255 characters of printable ASCII (0x20 to 0x7E), as such: the handler quotes it if <see cref="IdempotencyKeyOptions.Format"/> says so. In the bare
    /// format, which is the default, quotation marks, commas, semicolons and spaces at an end are refused when the request is sent.
    /// </param>
    /// <exception cref="ArgumentException">The key is empty, longer, or has other characters.</exception>
    public static void SetIdempotencyKey(this HttpRequestMessage request, string key)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(key);
        if (!KeyText.IsKey(key, out var error))
        {
            throw new ArgumentException($"The value is not a valid idempotency key: {error}. Use 1 to {KeyText.MaxLength} characters of printable ASCII, for example a UUID.", nameof(key));
        }

        var logical = LogicalRequest.Of(request);
        logical.Key = key;
        logical.IsExcluded = false;
    }

    /// <summary>
    /// The key of the request, unquoted: what <see cref="SetIdempotencyKey"/> was given or, once the request went through
    /// <see cref="IdempotencyKeyHandler"/>, what it was sent with. Null when it has none (yet).
    /// </summary>
    /// <param name="request">The request; after sending, also in <see cref="HttpResponseMessage.RequestMessage"/>.</param>
    public static string? GetIdempotencyKey(this HttpRequestMessage request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return LogicalRequest.Find(request) is { IsExcluded: false, Key: var key } ? key : null;
    }

    /// <summary>
    /// Sends this request as it is: no key is added, and the handlers of Idempotency.Http.Resilience send it once. A key that <see cref="SetIdempotencyKey"/> gave it is forgotten; a header that you
    /// added yourself stays.
    /// </summary>
    /// <param name="request">The request, not sent yet.</param>
    public static void DisableIdempotencyKey(this HttpRequestMessage request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var logical = LogicalRequest.Of(request);
        logical.Key = null;
        logical.IsExcluded = true;
    }
}
