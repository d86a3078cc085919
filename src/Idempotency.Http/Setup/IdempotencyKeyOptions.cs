namespace Idempotency.Http;

/// <summary>Which requests of a client get a key, how it is written, and whether the handler retries by itself.</summary>
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
    /// Whether the body of every request with a key is made repeatable before it is sent, also when <see cref="Retry"/> is null: for a resilience handler that
    /// sends it again. Streams that can be read only once are then held in memory too, up to <see cref="MaxBufferedBodySize"/>. Default: false; with
    /// <see cref="Retry"/>, bodies are made repeatable anyway, and only such streams are refused.
    /// </summary>
    public bool BufferRequestBodies { get; set; }

    /// <summary>
    /// The most bytes of a request's body that are held in memory so that every attempt sends the same ones. Default: 1 MiB (1 048 576), which is also what
    /// Idempotency.AspNetCore takes. A larger body can be sent when it is repeatable as it is (in memory already, or a seekable stream), and is refused with an
    /// <see cref="InvalidOperationException"/> otherwise, before anything is sent.
    /// </summary>
    public long MaxBufferedBodySize { get; set; } = 1024 * 1024;

    /// <summary>
    /// Retries by the handler itself; null, the default, for none. Only requests with a key are retried, whether the handler or the caller gave them one. Use
    /// either these or a resilience handler's, not both: attempts would multiply.
    /// </summary>
    public IdempotencyRetryOptions? Retry { get; set; }
}
