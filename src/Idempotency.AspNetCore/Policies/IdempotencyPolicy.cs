using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Idempotency.AspNetCore;

/// <summary>
/// Defines how an endpoint or a function is protected. Functions ignore the options that concern HTTP requests and responses. Immutable: derive a policy with <c>policy with { Retention = TimeSpan.FromHours(1) }</c>.
/// </summary>
public sealed record IdempotencyPolicy
{
    /// <summary>The source of the key. Default: <see cref="IdempotencyKeySource.Header"/>.</summary>
    public IdempotencyKeySource KeySource { get; init; } = IdempotencyKeySource.Header;

    /// <summary>
    /// Whether a request without a key is rejected with 400 <c>idempotency-key-missing</c> (true, the default) or runs unprotected (false).
    /// A malformed key is always rejected.
    /// </summary>
    public bool KeyRequired { get; init; } = true;

    /// <summary>
    /// The request header with the key. Default: <c>Idempotency-Key</c> (draft-ietf-httpapi-idempotency-key-header).
    /// Its value has 1 to 255 printable ASCII characters, bare (<c>abc</c>) or as a structured-field string (<c>"abc"</c>, RFC 9651 section 3.3.3). Both forms are the same key.
    /// </summary>
    public string HeaderName { get; init; } = "Idempotency-Key";

    /// <summary>
    /// An expression that selects the key from the request: the key is the SHA-256 of the selected values. Null (the default): the key is the header or the
    /// whole body, according to <see cref="KeySource"/>. With a selector, the header is read only if <see cref="KeySource"/> is <see cref="IdempotencyKeySource.HeaderOrBody"/>, and then takes precedence.
    /// </summary>
    /// <remarks>
    /// <para>The expression language comes from a package: JMESPath with <c>AddIdempotency().AddJmesPath()</c> from <c>Idempotency.AspNetCore.JmesPath</c>. The expression is
    /// compiled at start-up, which fails if it is not valid.</para>
    /// <para>An expression whose root names are all members of the request envelope (<c>body</c>, <c>headers</c>, <c>query</c>, <c>route</c>,
    /// <c>method</c>, <c>path</c>, <c>user</c>) is applied to the envelope; mixing them with other root names fails at start-up. Any other expression is applied to the body:
    /// <c>[transaction_id, user_id]</c> is <c>body.[transaction_id, user_id]</c>.</para>
    /// <para>A form is an object of its fields, without files: each field is a string, or an array of strings if it is sent more than once. A form that cannot be read or exceeds the limits of <c>FormOptions</c> is
    /// rejected with 400 <c>idempotency-key-invalid</c>.</para>
    /// <para>A request from which nothing is selected has no key. <see cref="Fingerprint"/> still covers the whole request, unless <see cref="FingerprintSelector"/> is set or the mode is <see cref="RequestFingerprintMode.None"/>.</para>
    /// <para>For a function call, the expression selects from an <see cref="IdempotentPayload"/> that is passed as the key, which is the <c>body</c> of the envelope.</para>
    /// </remarks>
    public string? KeySelector { get; init; }

    /// <summary>
    /// An expression that selects the values that a retry must repeat; all other values can differ. It follows the rules of <see cref="KeySelector"/>. Null
    /// (the default): <see cref="Fingerprint"/> decides. For a function call, it selects from <see cref="IdempotentCallOptions.Payload"/>.
    /// </summary>
    /// <remarks>A value that is absent in the first request must be absent in the retry.</remarks>
    public string? FingerprintSelector { get; init; }

    /// <summary>
    /// The request headers that are part of the fingerprint: a retry must have the same values, or none if the first request had none. For headers that change what the endpoint does,
    /// such as <c>X-Api-Version</c>. Default: none. Names are not case-sensitive, and their order does not matter. The headers count in every <see cref="Fingerprint"/> mode and in addition to a <see cref="FingerprintSelector"/>.
    /// </summary>
    /// <remarks>
    /// Several field lines with the same name are one value, joined with a comma and a space (RFC 9110 section 5.3). A missing header differs from an empty one. With <see cref="ClientCaching"/>, <c>Vary</c> names them.
    /// Functions have no headers and ignore this option.
    /// </remarks>
    public IReadOnlyCollection<string> FingerprintHeaders { get; init; } = [];

    /// <summary>
    /// The HTTP methods that are protected. Requests with other methods pass through as if the endpoint had not opted in. Null (the default): all methods except <c>GET</c>, <c>HEAD</c>, <c>OPTIONS</c> and
    /// <c>TRACE</c>, which are safe (RFC 9110 section 9.2.1). Names are not case-sensitive. An empty list fails at start-up. Functions ignore this option.
    /// </summary>
    /// <remarks>To protect a safe method too, list it with the others: <c>Methods = ["GET", "POST"]</c>.</remarks>
    public IReadOnlyCollection<string>? Methods
    {
        get;
        init => field = value as string[] ?? value?.ToArray(); // searched for every request, and an array is searched without an allocation
    }

    /// <summary>
    /// Returns the partition of the caller. A key in one partition can never return, block or change the record of another partition. Null (the default): the authenticated user
    /// (issuer and subject, or name identifier), otherwise the authenticated client application (issuer and <c>client_id</c>, <c>azp</c> or <c>appid</c>), and one shared partition for anonymous callers. A function that returns
    /// null selects the shared partition too. Do not use the client's address or a raw <c>Authorization</c> header, because both change between retries. An API that separates tenants by host name
    /// must return the tenant here: the host is not part of the key.
    /// </summary>
    public Func<HttpContext, string?>? Partition { get; init; }

    /// <summary>The parts of the request that a retry must repeat. Default: <see cref="RequestFingerprintMode.ExactJson"/>.</summary>
    public RequestFingerprintMode Fingerprint { get; init; } = RequestFingerprintMode.ExactJson;

    /// <summary>How long a response is recorded, counted from its completion. Default: 24 hours. More than zero, at most 10 years.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromHours(24);

    /// <summary>
    /// The lease of a claim. It is renewed every third of its duration while the handler runs, so it limits how long a crashed process blocks its key,
    /// not how long a handler can run. Default: 60 seconds. At least 30 milliseconds, at most one day.
    /// </summary>
    public TimeSpan ClaimDuration { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What happens to a duplicate while the first request is running. Default: <see cref="InProgressBehavior.Reject"/>.</summary>
    public InProgressBehavior WhenInProgress { get; init; } = InProgressBehavior.Reject;

    /// <summary>How long a duplicate waits with <see cref="InProgressBehavior.Wait"/>. Default: 30 seconds. Zero to one day.</summary>
    public TimeSpan WaitTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What happens to an abandoned claim. Default: <see cref="AbandonedBehavior.TakeOver"/>.</summary>
    public AbandonedBehavior WhenAbandoned { get; init; } = AbandonedBehavior.TakeOver;

    /// <summary>
    /// Whether the response is recorded in the transaction of the handler's own writes, so that both are committed or neither is. Default:
    /// <see cref="IdempotencyTransaction.Separate"/>. <see cref="IdempotencyTransaction.SameAsHandler"/> requires a store in the application's own database (<see cref="ITransactionalIdempotencyStore"/>); without one,
    /// start-up fails.
    /// </summary>
    public IdempotencyTransaction Transaction { get; init; } = IdempotencyTransaction.Separate;

    /// <summary>
    /// How often a handler with <see cref="IdempotencyTransaction.SameAsHandler"/> runs again, as a whole and in a new transaction, after the database rolled back its
    /// transaction because of a conflict (a serialization failure or a deadlock). Default: 0, which rejects the request with 503 <c>idempotency-transaction-conflict</c> and no changes. At most 10.
    /// </summary>
    /// <remarks>
    /// Set it only for handlers whose effects are all in that transaction: an email, for example, would be sent again. Each run gets the original request body, an empty response and an empty unit of work;
    /// changes that an earlier run made to <c>HttpContext.Items</c> or to other services of the scope remain.
    /// </remarks>
    public int TransactionRetries { get; init; }

    /// <summary>What happens when the store is unavailable. Default: <see cref="StoreUnavailableBehavior.Reject"/>.</summary>
    public StoreUnavailableBehavior WhenStoreUnavailable { get; init; } = StoreUnavailableBehavior.Reject;

    /// <summary>
    /// Decides from the finished response whether it is recorded (true), or whether the claim is released so that a retry runs
    /// again (false). Null (the default): <see cref="IsStoredByDefault"/> decides.
    /// </summary>
    /// <remarks>
    /// <para>To record status 500 too: <c>ShouldStore = response => response.StatusCode == 500 || response.IsStoredByDefault</c>. To release the claim of a GraphQL request that failed with 200:
    /// <c>ShouldStore = response => response.IsStoredByDefault &amp;&amp; !HasErrors(response.Body)</c>.</para>
    /// <para>Regardless of this function, the following are never recorded: 1xx; 206, 304, 412 and 416, which depend on the range or precondition of one request; the result of a challenge or
    /// forbid of an authentication scheme (a 401, a 403, the redirect of a cookie scheme); an unsuccessful response after a failed antiforgery check; and a redirect of the same request to another scheme or host. An
    /// exception always releases the claim. If this function throws, the default rule applies.</para>
    /// <para>For a streamed response, the function is called before the first byte is sent, with an empty <see cref="RecordableResponse.Body"/>.</para>
    /// </remarks>
    public Func<RecordableResponse, bool>? ShouldStore { get; init; }

    /// <summary>
    /// Decides, before a recorded response is replayed, whether this caller is allowed to receive it. If it returns false, the request is rejected with 403 <c>idempotency-replay-forbidden</c>, and nothing of the
    /// record is returned. Null (the default): every caller in the same partition who sends the key receives the replay.
    /// </summary>
    /// <remarks>
    /// <para>A replay passes the middleware before <c>UseIdempotency()</c>, such as <c>UseAuthorization()</c>. Checks after it (endpoint filters, MVC filters, and checks in the handler)
    /// run only with the handler: repeat the ones that must also apply to replays here.</para>
    /// <para>The function runs for each replay over HTTP, and for a run that lost its claim and therefore returns the recorded response. It can read the request body. Its exceptions
    /// reach the application's exception handling. Functions (<see cref="IIdempotentExecutor"/>) do not call it.</para>
    /// </remarks>
    public Func<HttpContext, ValueTask<bool>>? AuthorizeReplay { get; init; }

    /// <summary>
    /// The maximum request body size in bytes. A larger body is rejected with 413 <c>idempotency-body-too-large</c> before any claim. The body is
    /// buffered in memory while the request runs. Default: 1 MiB (1 048 576).
    /// </summary>
    public long MaxRequestBodySize { get; init; } = 1024 * 1024;

    /// <summary>
    /// The maximum size of a recorded response body in bytes. A larger response is streamed to the first caller and does not run again: a retry
    /// is rejected with 409 <c>idempotency-response-unavailable</c>. For a function, the limit applies to the JSON of its result. Default: 1 MiB (1 048 576).
    /// </summary>
    public long MaxResponseBodySize { get; init; } = 1024 * 1024;

    /// <summary>
    /// Whether a response whose buffering the endpoint disabled is buffered and recorded anyway, up to <see cref="MaxResponseBodySize"/>. Default: false, which streams such a
    /// response immediately and records it without its body: a retry is rejected with 409 <c>idempotency-response-unavailable</c>.
    /// </summary>
    /// <remarks>For endpoints that disable buffering for every response, such as reverse proxies (YARP). Not for endless streams: the client receives nothing until the response ends or reaches the limit.</remarks>
    public bool HoldUnbufferedResponses { get; init; }

    /// <summary>
    /// Whether a handler continues after its client disconnects, so that its response is recorded: <c>HttpContext.RequestAborted</c> is then not canceled by
    /// a disconnect. It is still canceled by a timeout of <c>UseRequestTimeouts()</c> before this middleware. A token that other middleware
    /// sets in its place cannot be distinguished from a disconnect and does not reach the handler. Default: true.
    /// </summary>
    public bool CompleteAfterDisconnect { get; init; } = true;

    /// <summary>
    /// The name of the top-level member with the value <c>true</c> that is added to a replayed JSON object. Null turns it off; replays are then
    /// identical to the first response, byte for byte. Default: <c>serverCacheHit</c>.
    /// </summary>
    /// <remarks>
    /// It is added only to objects in UTF-8 with the media type <c>application/json</c>: formats with their own media type (<c>application/problem+json</c>, <c>application/vnd.api+json</c>) might not
    /// allow other members. A body is not changed if the handler sent a strong <c>ETag</c> (RFC 9110 section 8.8.1), <c>Content-Encoding</c>,
    /// <c>Content-Range</c>, <c>Content-MD5</c>, <c>Digest</c>, <c>Content-Digest</c> or <c>Repr-Digest</c>.
    /// </remarks>
    public string? ReplayFlagName { get; init; } = "serverCacheHit";

    /// <summary>Whether recorded responses have an <c>ETag</c>: the handler's own, or one that is generated from the record. Default: true.</summary>
    public bool EmitETag { get; init; } = true;

    /// <summary>
    /// Whether a replay of a 2xx response to GET, HEAD or POST returns 304 without a body if <c>If-None-Match</c> lists its ETag. <c>*</c> does not match: it
    /// belongs to the request ("create only if absent"), not to a cached response. For other methods (PUT, PATCH, DELETE), the header is a precondition of
    /// the operation (RFC 9110 section 13.1.2), and the first response is replayed. Default: true.
    /// </summary>
    public bool AnswerNotModified { get; init; } = true;

    /// <summary>
    /// Whether the client can cache the response. If true, responses have <c>Cache-Control: private, max-age=&lt;seconds of retention left&gt;</c>, and <c>Vary</c> with
    /// the key header, the <see cref="FingerprintHeaders"/> and the headers that a selector reads, unless the handler set <c>Cache-Control</c>, or middleware
    /// outside did (its <c>no-store</c> applies to the first response and to replays). Default: false, and replays have <c>Cache-Control: no-store</c>.
    /// </summary>
    public bool ClientCaching { get; init; }

    /// <summary>
    /// Additional response headers that are not recorded. Cookies and hop-by-hop, per-request and
    /// security headers are never recorded. Names are not case-sensitive. Default: none.
    /// </summary>
    public IReadOnlyCollection<string> ExcludedHeaders { get; init; } = [];

    /// <summary>Whether requests with a method are protected.</summary>
    internal bool Covers(string method) => Methods is { } methods
        ? methods.Contains(method, StringComparer.OrdinalIgnoreCase)
        : !(HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method));

    /// <summary>Whether a request is protected. Over HTTP/2 and HTTP/3, a WebSocket is opened with CONNECT (RFC 8441, RFC 9220), the counterpart of GET in HTTP/1.1.</summary>
    internal bool Covers(HttpRequest request) =>
        Covers(HttpMethods.IsConnect(request.Method) && request.HttpContext.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } ? HttpMethods.Get : request.Method);

    /// <summary>Whether requests to an endpoint can be protected: not if it accepts only methods that are not covered.</summary>
    internal bool CoversAnyOf(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IHttpMethodMetadata>() is not { HttpMethods: { Count: > 0 } methods } || methods.Any(Covers);

    /// <summary>Whether the key can be in a header.</summary>
    internal bool TakesKeyFromHeader => KeySource == IdempotencyKeySource.HeaderOrBody || (KeySource == IdempotencyKeySource.Header && KeySelector is null);

    /// <summary>Whether the key can be in the content of a request.</summary>
    internal bool TakesKeyFromContent => KeySource != IdempotencyKeySource.Header || KeySelector is not null;

    /// <summary>
    /// Whether a status is recorded if <see cref="ShouldStore"/> is null. Recorded: 2xx, 3xx and 4xx, except 206, 304, 412 and 416 (which depend on a range or precondition of one request and are never
    /// recorded) and 401, 403, 407, 408, 409, 421, 423, 424, 425, 428, 429 and 499 (a retry can succeed). Not recorded: 5xx, after which a retry runs again.
    /// </summary>
    /// <param name="statusCode">The status code of the response.</param>
    public static bool IsStoredByDefault(int statusCode) => RecordedStatuses.IsRecordedByDefault(statusCode);
}
