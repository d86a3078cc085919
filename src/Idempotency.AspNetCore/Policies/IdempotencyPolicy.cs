using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Idempotency.AspNetCore;

/// <summary>
/// How an endpoint, or a function, is protected. What is about requests and responses, a function passes over. Immutable; derive one from another with <c>policy with { Retention = TimeSpan.FromHours(1) }</c>.
/// </summary>
public sealed record IdempotencyPolicy
{
    /// <summary>Where the key comes from. Default: <see cref="IdempotencyKeySource.Header"/>.</summary>
    public IdempotencyKeySource KeySource { get; init; } = IdempotencyKeySource.Header;

    /// <summary>
    /// Whether a request without a key is refused with 400 <c>idempotency-key-missing</c> (true, the default) or runs unprotected (false).
    /// A malformed key is refused either way.
    /// </summary>
    public bool KeyRequired { get; init; } = true;

    /// <summary>
    /// The request header that carries the key. Default: <c>Idempotency-Key</c> (draft-ietf-httpapi-idempotency-key-header).
    /// Its value is 1 to 255 printable ASCII characters, bare (<c>abc</c>) or as a structured-field string (<c>"abc"</c>, RFC 9651 section 3.3.3): the same key.
    /// </summary>
    public string HeaderName { get; init; } = "Idempotency-Key";

    /// <summary>
    /// What of the request is its key, as an expression: the key is the SHA-256 of what it selects. Null (the default): the header, or the
    /// whole body, as <see cref="KeySource"/> says. With one, no header is read unless that is <see cref="IdempotencyKeySource.HeaderOrBody"/>, where a header comes first.
    /// </summary>
    /// <remarks>
    /// <para>The language comes with a package: JMESPath with <c>AddIdempotency().AddJmesPath()</c> of <c>Idempotency.AspNetCore.JmesPath</c>. The expression is
    /// compiled at start-up, which fails when it is not valid.</para>
    /// <para>It is applied to the request's envelope when it names one of its members at the root (<c>body</c>, <c>headers</c>, <c>query</c>, <c>route</c>,
    /// <c>method</c>, <c>path</c>, <c>user</c>); all of its root names must be such members then. Any other is applied to the body: <c>[transaction_id, user_id]</c> is <c>body.[transaction_id, user_id]</c>.</para>
    /// <para>A form is an object of its fields, without its files: each field is a string, or an array of strings where it is sent more than once. A form that cannot be read, or exceeds the limits of <c>FormOptions</c>, is
    /// rejected with 400 <c>idempotency-key-invalid</c>.</para>
    /// <para>A request of which nothing is selected has no key. <see cref="Fingerprint"/> still covers the whole request unless <see cref="FingerprintSelector"/> says what of it counts, or it is <see cref="RequestFingerprintMode.None"/>.</para>
    /// <para>Of a function's call it selects from an <see cref="IdempotentPayload"/> given as the key, which is the envelope's <c>body</c>.</para>
    /// </remarks>
    public string? KeySelector { get; init; }

    /// <summary>
    /// What of a retry must equal the first request, as an expression in the language and by the rules of <see cref="KeySelector"/>: everything that it does not select may differ. Null
    /// (the default): what <see cref="Fingerprint"/> says. Of a function's call it selects from <see cref="IdempotentCallOptions.Payload"/>.
    /// </summary>
    /// <remarks>What is absent in the first request must be absent in the retry.</remarks>
    public string? FingerprintSelector { get; init; }

    /// <summary>
    /// The names of request headers that are part of the fingerprint: a retry must carry the same values, or none where the first request had none. For headers that select what the endpoint does,
    /// such as <c>X-Api-Version</c>. Default: none. Names are not case-sensitive, and their order does not matter. They count in every <see cref="Fingerprint"/> mode and beside a <see cref="FingerprintSelector"/>.
    /// </summary>
    /// <remarks>
    /// The field lines of one name are one value, joined with a comma and a space (RFC 9110 section 5.3), and a header that is missing differs from one that is empty. With <see cref="ClientCaching"/>, <c>Vary</c> names them.
    /// A function has no headers and ignores them.
    /// </remarks>
    public IReadOnlyCollection<string> FingerprintHeaders { get; init; } = [];

    /// <summary>
    /// The HTTP methods that are protected; requests with any other method pass through as if the endpoint had no idempotency. Null (the default): all methods but <c>GET</c>, <c>HEAD</c>, <c>OPTIONS</c> and
    /// <c>TRACE</c>, which change nothing (RFC 9110 section 9.2.1). Names are not case-sensitive. An empty list is rejected at start-up. A function ignores it.
    /// </summary>
    /// <remarks>To protect a method that reads as well, list it with the others: <c>Methods = ["GET", "POST"]</c>.</remarks>
    public IReadOnlyCollection<string>? Methods
    {
        get;
        init => field = value is null or string[] ? value : value.ToArray(); // searched for every request, and an array is searched without an allocation
    }

    /// <summary>
    /// Separates callers: one partition's key can never fetch, block or poison another's. Null (the default) means the authenticated user
    /// (issuer and subject, or name identifier), else the authenticated client application (issuer and <c>client_id</c>, <c>azp</c> or <c>appid</c>), and one shared partition for anonymous callers. A function that returns null chooses the
    /// shared partition too. Do not use a client's address or a raw <c>Authorization</c> header: both change between retries. An API that
    /// tells tenants apart by host name must name the tenant here: the host is no part of the key.
    /// </summary>
    public Func<HttpContext, string?>? Partition { get; init; }

    /// <summary>What of a retry must equal the first request. Default: <see cref="RequestFingerprintMode.ExactJson"/>.</summary>
    public RequestFingerprintMode Fingerprint { get; init; } = RequestFingerprintMode.ExactJson;

    /// <summary>How long an answer is kept, counted from its completion. Default: 24 hours. More than zero, at most 10 years.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromHours(24);

    /// <summary>
    /// The lease of a claim. It is renewed every third of it while the handler runs, so it limits how long a crashed owner blocks its key,
    /// not how long a handler may take. Default: 60 seconds. At least 30 milliseconds, at most one day.
    /// </summary>
    public TimeSpan ClaimDuration { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What a duplicate is told while the first request runs. Default: <see cref="InProgressBehavior.Reject"/>.</summary>
    public InProgressBehavior WhenInProgress { get; init; } = InProgressBehavior.Reject;

    /// <summary>How long a duplicate waits under <see cref="InProgressBehavior.Wait"/>. Default: 30 seconds. Zero to one day.</summary>
    public TimeSpan WaitTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What happens to a key whose owner vanished. Default: <see cref="AbandonedBehavior.TakeOver"/>.</summary>
    public AbandonedBehavior WhenAbandoned { get; init; } = AbandonedBehavior.TakeOver;

    /// <summary>
    /// Whether the answer is recorded in the transaction of the handler's own writes, so that there is never one without the other. Default:
    /// <see cref="IdempotencyTransaction.Separate"/>. <see cref="IdempotencyTransaction.SameAsHandler"/> needs a store in the application's own database (<see cref="ITransactionalIdempotencyStore"/>); without one the
    /// application does not start.
    /// </summary>
    public IdempotencyTransaction Transaction { get; init; } = IdempotencyTransaction.Separate;

    /// <summary>
    /// How often a handler under <see cref="IdempotencyTransaction.SameAsHandler"/> is run again, whole and in a new transaction, after the database has undone its
    /// transaction in favour of another (a serialization failure, a deadlock). Default: 0, and the answer is 503 <c>idempotency-transaction-conflict</c> with nothing done. At most 10.
    /// </summary>
    /// <remarks>
    /// Set it only for handlers whose effects are all in that transaction: a mail that was sent is sent again. The run finds the request's body and the response as the first one did, and nothing in the unit of work;
    /// what the first one left in <c>HttpContext.Items</c> or in other services of the scope is still there.
    /// </remarks>
    public int TransactionRetries { get; init; }

    /// <summary>What happens when the store cannot be asked. Default: <see cref="StoreUnavailableBehavior.Reject"/>.</summary>
    public StoreUnavailableBehavior WhenStoreUnavailable { get; init; } = StoreUnavailableBehavior.Reject;

    /// <summary>
    /// Decides, from the finished response and its body, whether the response is recorded (true) or the key is freed so that a retry runs
    /// again (false). Null (the default) means <see cref="IsStoredByDefault"/>.
    /// </summary>
    /// <remarks>
    /// <para>To record the 500 as well: <c>ShouldStore = response => response.StatusCode == 500 || response.IsStoredByDefault</c>. To free the key of a GraphQL request that failed with 200:
    /// <c>ShouldStore = response => response.IsStoredByDefault &amp;&amp; !HasErrors(response.Body)</c>.</para>
    /// <para>Whatever it says, these are never recorded: 1xx; 206, 304, 412 and 416, which answer the range or precondition of one request; what an authentication scheme made of a challenge or a
    /// forbid (a 401, a 403, the redirect of a cookie scheme); what is not a success after a failed antiforgery check; and a redirect of this very request to another scheme or host. An
    /// exception always frees the key. When the function itself throws, the default rule decides.</para>
    /// <para>A response that streams is judged before its first byte is sent, with an empty <see cref="RecordableResponse.Body"/>.</para>
    /// </remarks>
    public Func<RecordableResponse, bool>? ShouldStore { get; init; }

    /// <summary>
    /// Decides, before a recorded response is replayed, whether this caller may still have it. On false the request is rejected with 403 <c>idempotency-replay-forbidden</c>, and nothing of the
    /// record is returned. Null (the default): every caller who presents the key in the same partition gets the replay.
    /// </summary>
    /// <remarks>
    /// <para>A replay passes what stands before <c>UseIdempotency()</c>, such as <c>UseAuthorization()</c>. Checks behind it, such as endpoint filters, MVC's filters and those in the handler,
    /// run with the handler alone: repeat here what must also hold at the time of a replay.</para>
    /// <para>It runs for each replay over HTTP, and for a run whose claim was lost to another and which is answered with the recorded response. It may read the request's body. What it throws
    /// reaches the application's exception handling. Functions (<see cref="IIdempotentExecutor"/>) do not call it.</para>
    /// </remarks>
    public Func<HttpContext, ValueTask<bool>>? AuthorizeReplay { get; init; }

    /// <summary>
    /// The largest request body, in bytes; a larger one is answered 413 <c>idempotency-body-too-large</c> before any claim. The body is
    /// held in memory while the request runs. Default: 1 MiB (1 048 576).
    /// </summary>
    public long MaxRequestBodySize { get; init; } = 1024 * 1024;

    /// <summary>
    /// The largest response body that is kept, in bytes. A larger one streams to the first caller in full and is never run again: a retry
    /// is answered 409 <c>idempotency-response-unavailable</c>. Of a function: the JSON of its result, likewise. Default: 1 MiB (1 048 576).
    /// </summary>
    public long MaxResponseBodySize { get; init; } = 1024 * 1024;

    /// <summary>
    /// Whether a response whose buffering the endpoint disabled is held and recorded like any other, up to <see cref="MaxResponseBodySize"/>, from where it streams. Default: false, and such a
    /// response streams at once and is recorded without its body: a retry is rejected with 409 <c>idempotency-response-unavailable</c>.
    /// </summary>
    /// <remarks>For endpoints that disable buffering on every response, as reverse proxies such as YARP do. Not for endless streams: the client sees nothing before the response ends or reaches the limit.</remarks>
    public bool HoldUnbufferedResponses { get; init; }

    /// <summary>
    /// Whether a handler whose client disconnects runs on and its answer is recorded: <c>HttpContext.RequestAborted</c> does not fire for
    /// a disconnect then. It still fires for a timeout of <c>UseRequestTimeouts()</c> before this middleware; a token that other middleware has
    /// put in its place cannot be told from a disconnect, and does not reach the handler. Default: true.
    /// </summary>
    public bool CompleteAfterDisconnect { get; init; } = true;

    /// <summary>
    /// The top-level member, with the value <c>true</c>, that a replayed JSON object carries. Null switches it off: replays are then
    /// byte for byte what the first response was. Default: <c>serverCacheHit</c>.
    /// </summary>
    /// <remarks>
    /// Only a body of the media type <c>application/json</c> that is an object in UTF-8 carries it: formats with a type of their own (<c>application/problem+json</c>, <c>application/vnd.api+json</c>) need not
    /// allow other members. A body is left as it is when the handler vouched for its bytes: with a strong <c>ETag</c> (RFC 9110 section 8.8.1), or with <c>Content-Encoding</c>,
    /// <c>Content-Range</c>, <c>Content-MD5</c>, <c>Digest</c>, <c>Content-Digest</c> or <c>Repr-Digest</c>.
    /// </remarks>
    public string? ReplayFlagName { get; init; } = "serverCacheHit";

    /// <summary>Whether recorded answers carry an <c>ETag</c> (the handler's own, else one that names the record). Default: true.</summary>
    public bool EmitETag { get; init; } = true;

    /// <summary>
    /// Whether a replay of a 2xx to GET, HEAD or POST whose ETag is listed in <c>If-None-Match</c> is answered 304 without a body. <c>*</c> does not count: it
    /// belongs to the request ("create only if absent"), not to a cached response. With other methods (PUT, PATCH, DELETE) the whole header is a precondition of
    /// the operation (RFC 9110 section 13.1.2), and the first response is replayed. Default: true.
    /// </summary>
    public bool AnswerNotModified { get; init; } = true;

    /// <summary>
    /// Whether the client may cache the answer: <c>Cache-Control: private, max-age=&lt;seconds of retention left&gt;</c> and <c>Vary</c> with
    /// the key header, the <see cref="FingerprintHeaders"/> and the headers that a selector names, unless the handler set its own <c>Cache-Control</c>, or middleware
    /// outside did (its <c>no-store</c> stands on the first response and on replays). Default: false, and replays carry <c>Cache-Control: no-store</c>.
    /// </summary>
    public bool ClientCaching { get; init; }

    /// <summary>
    /// Response headers that are neither stored nor replayed, beside those that never are (cookies, hop-by-hop, per-request and
    /// security headers; see the README). Names, not case-sensitive. Default: none.
    /// </summary>
    public IReadOnlyCollection<string> ExcludedHeaders { get; init; } = [];

    /// <summary>Whether requests with a method are protected.</summary>
    internal bool Covers(string method) => Methods is { } methods
        ? methods.Contains(method, StringComparer.OrdinalIgnoreCase)
        : !(HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method));

    /// <summary>Whether a request is protected. Over HTTP/2 and HTTP/3 a WebSocket is opened with CONNECT (RFC 8441, RFC 9220): that is the GET of HTTP/1.1.</summary>
    internal bool Covers(HttpRequest request) =>
        Covers(HttpMethods.IsConnect(request.Method) && request.HttpContext.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } ? HttpMethods.Get : request.Method);

    /// <summary>Whether requests to an endpoint can be protected at all: not where it only takes methods that are not covered.</summary>
    internal bool CoversAnyOf(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IHttpMethodMetadata>() is not { HttpMethods: { Count: > 0 } methods } || methods.Any(Covers);

    /// <summary>Whether a request names its key in the header.</summary>
    internal bool TakesKeyFromHeader => KeySource == IdempotencyKeySource.HeaderOrBody || (KeySource == IdempotencyKeySource.Header && KeySelector is null);

    /// <summary>Whether a request without such a header has a key in what it is.</summary>
    internal bool TakesKeyFromContent => KeySource != IdempotencyKeySource.Header || KeySelector is not null;

    /// <summary>
    /// Whether a status is recorded when <see cref="ShouldStore"/> is null. Recorded: 2xx, 3xx and 4xx, except 206, 304, 412 and 416 (the answer to a range or a precondition of one request, never
    /// recorded) and 401, 403, 407, 408, 409, 421, 423, 424, 425, 428, 429 and 499 (a retry may well succeed). Not recorded: 5xx, after which a retry runs again.
    /// </summary>
    /// <param name="statusCode">The response's status code.</param>
    public static bool IsStoredByDefault(int statusCode) => RecordedStatuses.IsRecordedByDefault(statusCode);
}
