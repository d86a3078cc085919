using Idempotency.Http;

namespace System.Net.Http;

/// <summary>Sets and gets the idempotency key of a request.</summary>
public static class IdempotencyHttpRequestMessageExtensions
{
    /// <summary>
    /// Sets the key of the request, instead of a generated one: for example, that of an operation that outlives this process, saved with the order that it
    /// pays for. It is sent with every method except the safe ones (GET, HEAD, OPTIONS, TRACE, QUERY), unless the key header is already set.
    /// </summary>
    /// <param name="request">The request, before it is sent.</param>
    /// <param name="key">
    /// 1 to 255 printable ASCII characters (0x20 to 0x7E), without quotation marks: the handler quotes the key if <see cref="IdempotencyKeyOptions.Format"/> requires it. In the bare
    /// format, which is the default, quotation marks, commas, semicolons and leading or trailing spaces are rejected when the request is sent.
    /// </param>
    /// <exception cref="ArgumentException">The key is empty, too long, or has other characters.</exception>
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
    /// Gets the key of the request, unquoted: the key passed to <see cref="SetIdempotencyKey"/> or, after the request was sent through
    /// <see cref="IdempotencyKeyHandler"/>, the key that it was sent with. Null if it has none (yet).
    /// </summary>
    /// <param name="request">The request; after sending, also <see cref="HttpResponseMessage.RequestMessage"/>.</param>
    public static string? GetIdempotencyKey(this HttpRequestMessage request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return LogicalRequest.Find(request) is { IsExcluded: false, Key: var key } ? key : null;
    }

    /// <summary>
    /// Excludes this request: no key is added, and the handlers of Idempotency.Http.Resilience send it once. A key that was set with <see cref="SetIdempotencyKey"/> is removed; a header that you
    /// added yourself remains.
    /// </summary>
    /// <param name="request">The request, before it is sent.</param>
    public static void DisableIdempotencyKey(this HttpRequestMessage request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var logical = LogicalRequest.Of(request);
        logical.Key = null;
        logical.IsExcluded = true;
    }
}
