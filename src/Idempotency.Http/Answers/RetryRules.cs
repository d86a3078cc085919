using System.Net;

namespace Idempotency.Http;

/// <summary>Decides whether sending the same request with the same key again can help.</summary>
/// <remarks>
/// <para>The rules for responses, in order:</para>
/// <para>1. Below 400, no retry is needed.</para>
/// <para>2. A replay is recorded, and every retry returns it again. A recorded rejection (4xx) can be corrected with another key; the outcome of a recorded failure (5xx)
/// is unknown.</para>
/// <para>3. A problem of the library has advice, in its <c>retry</c> member or by its code.</para>
/// <para>4. A retry without a key is not protected, and neither is one after a response that is marked as not recorded.</para>
/// <para>5. 408, 425, 429, 500, 502, 503 and 504 are temporary.</para>
/// <para>6. Any other 4xx is a rejection, including 409: a conflict that is not "in progress" comes from the application. Any other 5xx is permanent.</para>
/// </remarks>
internal static class RetryRules
{
    public static IdempotencyRetryAdvice Advise(HttpResponseMessage response, bool hasKey, Problem problem)
    {
        var status = (int)response.StatusCode;
        return status < 400 ? IdempotencyRetryAdvice.NotNeeded
            : IsReplay(response) ? Final(status)
            : problem.IsOfIdempotency ? Advise(problem)
            : !hasKey || IsNotStored(response) ? IdempotencyRetryAdvice.No
            : Passes(response.StatusCode) ? IdempotencyRetryAdvice.SameKey
            : Final(status);
    }

    /// <summary>Whether a handler retries automatically: if that is the advice, and the status is temporary, whatever the problem says.</summary>
    public static bool IsRetried(HttpResponseMessage response, Problem problem) =>
        (Passes(response.StatusCode) || response.StatusCode == HttpStatusCode.Conflict)
        && Advise(response, hasKey: true, problem) == IdempotencyRetryAdvice.SameKey;

    /// <summary>
    /// Whether a connection error is temporary. Permanent errors depend on both sides: they have no common HTTP version, or the response exceeds a limit of the
    /// client. An error that a handler created from a response is judged like the response.
    /// </summary>
    public static bool IsRetried(HttpRequestException error) =>
        error.StatusCode is { } status
            ? Passes(status)
            : error.HttpRequestError is not (HttpRequestError.UserAuthenticationError or HttpRequestError.VersionNegotiationError
                or HttpRequestError.ExtendedConnectNotSupported or HttpRequestError.ConfigurationLimitExceeded);

    public static bool IsReplay(HttpResponseMessage response) => Says(response, IdempotencyHeaderNames.Replayed, "true");

    public static bool IsNotStored(HttpResponseMessage response) => Says(response, IdempotencyHeaderNames.Stored, "false");

    private static bool Passes(HttpStatusCode status) => status is HttpStatusCode.RequestTimeout or (HttpStatusCode)425 or HttpStatusCode.TooManyRequests
        or HttpStatusCode.InternalServerError or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout;

    private static IdempotencyRetryAdvice Final(int status) => status < 500 ? IdempotencyRetryAdvice.NewKey : IdempotencyRetryAdvice.No;

    private static IdempotencyRetryAdvice Advise(Problem problem) => problem.Retry switch
    {
        "same-key" => IdempotencyRetryAdvice.SameKey,
        "new-key" => IdempotencyRetryAdvice.NewKey,
        "no" => IdempotencyRetryAdvice.No,
        // An application that writes problems itself may have removed the member.
        _ => problem.Code switch
        {
            IdempotencyProblemCodes.RequestInProgress or IdempotencyProblemCodes.StoreUnavailable or IdempotencyProblemCodes.TransactionConflict => IdempotencyRetryAdvice.SameKey,
            IdempotencyProblemCodes.KeyMissing or IdempotencyProblemCodes.KeyInvalid or IdempotencyProblemCodes.KeyReused => IdempotencyRetryAdvice.NewKey,
            _ => IdempotencyRetryAdvice.No,
        },
    };

    private static bool Says(HttpResponseMessage response, string header, string value) =>
        response.Headers.NonValidated.TryGetValues(header, out var values) && string.Equals(values.ToString().Trim(), value, StringComparison.OrdinalIgnoreCase);
}
