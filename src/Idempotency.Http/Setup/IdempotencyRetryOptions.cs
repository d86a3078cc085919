namespace Idempotency.Http;

/// <summary>
/// How the handler retries. It does so after a connection error or a timeout, after a 409 that says <c>idempotency-request-in-progress</c>, and after 408, 425
/// (RFC 8470), 429 (RFC 6585), 500, 502, 503 and 504, unless the answer is a replay or says that it was not recorded; after nothing else.
/// </summary>
public sealed class IdempotencyRetryOptions
{
    /// <summary>The most times a request is sent, the first included. Default: 5. From 1 to 100.</summary>
    public int MaxAttempts { get; set; } = 5;

    /// <summary>
    /// How long one attempt may take, the body of its answer included as far as <see cref="MaxBufferedResponseSize"/> reaches. Default: 30 seconds;
    /// <see cref="Timeout.InfiniteTimeSpan"/> for no limit. When the last attempt ends so, a <see cref="TaskCanceledException"/> with a
    /// <see cref="TimeoutException"/> inside is thrown, as <see cref="HttpClient"/> does.
    /// </summary>
    public TimeSpan AttemptTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long everything may take: no wait and no attempt goes beyond it. Default: 90 seconds, a little less than the 100 of
    /// <see cref="HttpClient.Timeout"/>, which spans all attempts too: so the caller gets the last answer rather than a timeout that says nothing. Raise both, or
    /// set the latter to <see cref="Timeout.InfiniteTimeSpan"/>. The same value here for no limit.
    /// </summary>
    public TimeSpan MaxDuration { get; set; } = TimeSpan.FromSeconds(90);

    /// <summary>
    /// The wait before the first retry is a random time between zero and this, and doubles with each further one (exponential backoff with full jitter).
    /// Default: 500 milliseconds.
    /// </summary>
    public TimeSpan BaseDelay { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Where the doubling of <see cref="BaseDelay"/> ends. Default: 10 seconds.</summary>
    public TimeSpan MaxDelay { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The longest <c>Retry-After</c> (RFC 9110 section 10.2.3, seconds or a date) that is waited for; an answer that asks for more is given back at once, neither
    /// waited for nor retried early. A shorter one is waited for in full, and the random wait comes on top, so that clients that were told the same moment do not all
    /// come at it. Default: 30 seconds.
    /// </summary>
    public TimeSpan MaxRetryAfter { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The most bytes of an answer that are read within the attempt, so that a connection lost in the middle of an answer is a reason for a retry and not a
    /// half answer. What is longer streams on from there. Server-sent events (<c>text/event-stream</c>) are never read ahead. Default: 1 MiB
    /// (1 048 576); 0 for clients that read other answers as they come.
    /// </summary>
    public long MaxBufferedResponseSize { get; set; } = 1024 * 1024;
}
