namespace Idempotency.AspNetCore;

/// <summary>Which statuses are recorded: the one table. The README and <see cref="IdempotencyPolicy.IsStoredByDefault"/> repeat it, and a test compares them.</summary>
/// <remarks>
/// The rule: a recorded response answers the request, not one attempt of it. Every 2xx, 3xx and 4xx is recorded except those below. 5xx are not: a retry
/// runs again. 1xx are no final responses.
/// </remarks>
internal static class RecordedStatuses
{
    /// <summary>Not recorded whatever <see cref="IdempotencyPolicy.ShouldStore"/> says: they answer the <c>Range</c> (206, 416) or the precondition (304, 412) of one request (RFC 9110 sections 13 and 14).</summary>
    public static ReadOnlySpan<int> Never => [206, 304, 412, 416];

    /// <summary>
    /// Not recorded unless <see cref="IdempotencyPolicy.ShouldStore"/> says so, because a retry may well succeed: after signing in or being given access (401, 403, 407), with more time (408), once a
    /// conflict, lock or dependency is gone (409, 423, 424), on another connection (421, 425), with a precondition (428), later (429), or with a client that stays (499, which proxies and filters make of a cancelled request).
    /// </summary>
    public static ReadOnlySpan<int> NotByDefault => [401, 403, 407, 408, 409, 421, 423, 424, 425, 428, 429, 499];

    public static bool MayBeRecorded(int status) => status >= 200 && !Never.Contains(status);

    public static bool IsRecordedByDefault(int status) => status is >= 200 and < 500 && !Never.Contains(status) && !NotByDefault.Contains(status);
}
