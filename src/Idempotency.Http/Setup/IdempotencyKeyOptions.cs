namespace Idempotency.Http;

/// <summary>Options for the idempotency keys of a client: which requests get a key, its format, and what is buffered so that a request can be sent again.</summary>
public sealed class IdempotencyKeyOptions
{
    /// <summary>The header with the key. Default: <c>Idempotency-Key</c> (draft-ietf-httpapi-idempotency-key-header).</summary>
    public string HeaderName { get; set; } = IdempotencyHeaderNames.Key;

    /// <summary>
    /// The format of the key. Default: <see cref="IdempotencyKeyFormat.Bare"/>, which existing services expect; a service that
    /// strictly follows the draft requires <see cref="IdempotencyKeyFormat.Quoted"/>. A service may treat the two as different keys: do not change the format while
    /// operations are in progress.
    /// </summary>
    public IdempotencyKeyFormat Format { get; set; } = IdempotencyKeyFormat.Bare;

    /// <summary>
    /// The methods whose requests get a key. Default: POST and PATCH. PUT and DELETE are idempotent by definition (RFC 9110 section 9.2.2), but add them if a service expects
    /// keys with them too. Safe methods (GET, HEAD, OPTIONS, TRACE, QUERY) cannot be added.
    /// </summary>
    public ISet<HttpMethod> Methods { get; } = new HashSet<HttpMethod> { HttpMethod.Post, HttpMethod.Patch };

    /// <summary>
    /// Generates the key of a logical request: 1 to 255 printable ASCII characters. Called once per logical request. Default: a version 4 UUID with 122
    /// random bits (RFC 9562 section 5.4). Version 7 would reveal the time of the request, and has no benefit for keys that are looked up by their hash.
    /// </summary>
    public Func<HttpRequestMessage, string> GenerateKey { get; set; } = static _ => Guid.NewGuid().ToString("D");

    /// <summary>
    /// Whether the body of every request with a key is made repeatable before it is sent, so that retries send the same bytes. Content that is not
    /// in memory is then buffered, up to <see cref="MaxBufferedBodySize"/>. Default: false. <c>AddIdempotentResilienceHandler()</c> and
    /// <c>AddIdempotentHedgingHandler()</c> in the package Idempotency.Http.Resilience set it.
    /// </summary>
    public bool BufferRequestBodies { get; set; }

    /// <summary>Whether attempts of one request can run at the same time. They then cannot share a stream, and rewinding it does not repeat it.</summary>
    internal bool AttemptsOverlap { get; set; }

    /// <summary>
    /// The maximum size of a request body that <see cref="BufferRequestBodies"/> buffers, in bytes. Default: 1 MiB (1 048 576), which is also the limit of
    /// Idempotency.AspNetCore. A larger body can be sent if it is repeatable (already in memory, or a seekable stream); otherwise, it is rejected with an
    /// <see cref="InvalidOperationException"/> before anything is sent.
    /// </summary>
    public long MaxBufferedBodySize { get; set; } = 1024 * 1024;

    /// <summary>
    /// The maximum size of a response body that the handlers of Idempotency.Http.Resilience read within an attempt, in bytes, so that a connection that is lost in the middle of a response
    /// is retried. Longer responses are streamed from there. Server-sent events (<c>text/event-stream</c>) are never buffered. Default: 1 MiB
    /// (1 048 576); set 0 for clients that read other responses as they arrive. It has no effect without those handlers.
    /// </summary>
    public long MaxBufferedResponseSize { get; set; } = 1024 * 1024;
}
