namespace Idempotency.AspNetCore;

/// <summary>The statuses that are recorded. The documentation and <see cref="IdempotencyPolicy.IsStoredByDefault"/> repeat them, and a test compares them.</summary>
/// <remarks>
/// A response is recorded if it is a response to the request, not to one attempt of it. Every 2xx, 3xx and 4xx is recorded except those below. 5xx are not recorded: a retry
/// runs again. 1xx are not final responses.
/// </remarks>
internal static class RecordedStatuses
{
    /// <summary>Never recorded, even if <see cref="IdempotencyPolicy.ShouldStore"/> returns true: they depend on the <c>Range</c> (206, 416) or the precondition (304, 412) of one request (RFC 9110 sections 13 and 14).</summary>
    public static ReadOnlySpan<int> Never => [206, 304, 412, 416];

    /// <summary>
    /// Recorded only if <see cref="IdempotencyPolicy.ShouldStore"/> returns true, because a retry can succeed: after signing in or getting access (401, 403, 407), with more time (408), after a
    /// conflict, lock or dependency is resolved (409, 423, 424), on another connection (421, 425), with a precondition (428), later (429), or with a client that stays connected (499, which proxies
    /// and filters return for a canceled request).
    /// </summary>
    public static ReadOnlySpan<int> NotByDefault => [401, 403, 407, 408, 409, 421, 423, 424, 425, 428, 429, 499];

    public static bool MayBeRecorded(int status) => status >= 200 && !Never.Contains(status);

    public static bool IsRecordedByDefault(int status) => status is >= 200 and < 500 && !Never.Contains(status) && !NotByDefault.Contains(status);
}
