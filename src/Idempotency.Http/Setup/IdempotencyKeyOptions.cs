namespace Idempotency.Http;

/// <summary>Which requests of a client get a key, how it is written, and what is held in memory so that a request can be sent again.</summary>
public sealed class IdempotencyKeyOptions
{
    /// <summary>The header that carries the key. Default: <c>Idempotency-Key</c> (draft-ietf-httpapi-idempotency-key-header).</summary>
    public string HeaderName { get; set; } = IdempotencyHeaderNames.Key;

    /// <summary>
    /// Whether the key stands bare or quoted. Default: <see cref="IdempotencyKeyFormat.Bare"/>, which the services that are there expect; a service that
    /// follows the draft to the letter wants <see cref="IdempotencyKeyFormat.Quoted"/>. A service may take the two for different keys: do not change it while
    /// operations are under way.
    /// </summary>
    public IdempotencyKeyFormat Format { get; set; } = IdempotencyKeyFormat.Bare;

    /// <summary>
    /// The methods whose requests get a key. Default: POST and PATCH. PUT and DELETE are idempotent by themselves (RFC 9110 section 9.2.2), but a service may want
    /// keys with them too: add them. Safe methods (GET, HEAD, OPTIONS, TRACE, QUERY) cannot be added.
    /// </summary>
    public ISet<HttpMethod> Methods { get; } = new HashSet<HttpMethod> { HttpMethod.Post, HttpMethod.Patch };

    /// <summary>
    /// Makes the key of a logical request: 1 to 255 characters of printable ASCII. Called once for it, however often it is sent. Default: a version 4 UUID, 122
    /// random bits (RFC 9562 section 5.4). Version 7 would tell when the request was made, and buys nothing where keys are looked up by their hash.
    /// </summary>
    public Func<HttpRequestMessage, string> GenerateKey { get; set; } = static _ => Guid.NewGuid().ToString("D");

    /// <summary>
    /// Whether the body of every request with a key is made repeatable before it is sent, so that whoever sends the request again sends the same bytes. What is not in
    /// memory already is then held there, up to <see cref="MaxBufferedBodySize"/>. Default: false. <c>AddIdempotentResilienceHandler()</c> and
    /// <c>AddIdempotentHedgingHandler()</c> of the package Idempotency.Http.Resilience set it.
    /// </summary>
    public bool BufferRequestBodies { get; set; }

    /// <summary>Whether attempts of one request may be under way side by side: then they cannot share a stream, and rewinding one is no way to repeat it.</summary>
    internal bool AttemptsOverlap { get; set; }

    /// <summary>
    /// The most bytes of a request's body that <see cref="BufferRequestBodies"/> holds in memory. Default: 1 MiB (1 048 576), which is also what
    /// Idempotency.AspNetCore takes. A larger body can be sent when it is repeatable as it is (in memory already, or a seekable stream), and is rejected with an
    /// <see cref="InvalidOperationException"/> otherwise, before anything is sent.
    /// </summary>
    public long MaxBufferedBodySize { get; set; } = 1024 * 1024;

    /// <summary>
    /// The most bytes of a response that the handlers of Idempotency.Http.Resilience read within an attempt, so that a connection that is lost in the middle of a response
    /// is a reason for a retry. What is longer streams on from there. Server-sent events (<c>text/event-stream</c>) are never read ahead. Default: 1 MiB
    /// (1 048 576); 0 for clients that read other responses as they arrive. Without those handlers it has no effect.
    /// </summary>
    public long MaxBufferedResponseSize { get; set; } = 1024 * 1024;
}
