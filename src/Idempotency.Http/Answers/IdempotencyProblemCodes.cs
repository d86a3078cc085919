namespace Idempotency.Http;

/// <summary>The <c>code</c> member of the problems (RFC 9457) by which Idempotency.AspNetCore refuses a request.</summary>
public static class IdempotencyProblemCodes
{
    /// <summary>400: the endpoint wants a key, and the request has none.</summary>
    public const string KeyMissing = "idempotency-key-missing";

    /// <summary>400: the key is malformed.</summary>
    public const string KeyInvalid = "idempotency-key-invalid";

    /// <summary>422: the key belongs to a request with other content.</summary>
    public const string KeyReused = "idempotency-key-reused";

    /// <summary>409: the first request with this key is still running. The only 409 that another attempt with the same key resolves.</summary>
    public const string RequestInProgress = "idempotency-request-in-progress";

    /// <summary>409: an earlier attempt ended without an answer, may have had its effect, and is not run again.</summary>
    public const string OutcomeUnknown = "idempotency-outcome-unknown";

    /// <summary>409: the request was carried out, but its answer was not kept.</summary>
    public const string ResponseUnavailable = "idempotency-response-unavailable";

    /// <summary>403: the caller may not, or may no longer, have the response that was recorded for the request; it is not run again.</summary>
    public const string ReplayForbidden = "idempotency-replay-forbidden";

    /// <summary>413: the body is larger than a protected endpoint takes.</summary>
    public const string BodyTooLarge = "idempotency-body-too-large";

    /// <summary>503: the service's record of keys cannot be read at the moment; nothing was carried out.</summary>
    public const string StoreUnavailable = "idempotency-store-unavailable";

    /// <summary>503: the request was undone in favour of another that ran at the same time; nothing was carried out.</summary>
    public const string TransactionConflict = "idempotency-transaction-conflict";
}
