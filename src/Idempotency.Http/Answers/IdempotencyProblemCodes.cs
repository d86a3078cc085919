namespace Idempotency.Http;

/// <summary>The values of the <c>code</c> member of the problems (RFC 9457) with which Idempotency.AspNetCore rejects a request.</summary>
public static class IdempotencyProblemCodes
{
    /// <summary>400: the endpoint requires a key, and the request has none.</summary>
    public const string KeyMissing = "idempotency-key-missing";

    /// <summary>400: the key is not valid, or could not be extracted from the request.</summary>
    public const string KeyInvalid = "idempotency-key-invalid";

    /// <summary>422: the key was already used for a different request.</summary>
    public const string KeyReused = "idempotency-key-reused";

    /// <summary>409: a request with this key is already in progress. The only 409 that a retry with the same key resolves.</summary>
    public const string RequestInProgress = "idempotency-request-in-progress";

    /// <summary>409: the outcome of an earlier attempt is unknown. It may or may not have taken effect, and it does not run again.</summary>
    public const string OutcomeUnknown = "idempotency-outcome-unknown";

    /// <summary>409: the request was completed, but its response was not recorded.</summary>
    public const string ResponseUnavailable = "idempotency-response-unavailable";

    /// <summary>403: the caller is not allowed to receive the recorded response. The request does not run again.</summary>
    public const string ReplayForbidden = "idempotency-replay-forbidden";

    /// <summary>413: the request body exceeds the limit of the protected endpoint.</summary>
    public const string BodyTooLarge = "idempotency-body-too-large";

    /// <summary>503: the idempotency store is unavailable, or a record cannot be read. The request was not run.</summary>
    public const string StoreUnavailable = "idempotency-store-unavailable";

    /// <summary>503: the request was rolled back because it conflicted with another one. Nothing was changed.</summary>
    public const string TransactionConflict = "idempotency-transaction-conflict";
}
