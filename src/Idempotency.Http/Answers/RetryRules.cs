using System.Net;

namespace Idempotency.Http;

/// <summary>What may become better by sending the same request with the same key again.</summary>
/// <remarks>
/// <para>Of answers, in this order:</para>
/// <para>1. Below 400 there is nothing to better.</para>
/// <para>2. A replay is recorded and comes again with every retry. A recorded refusal (4xx) can be put right under another key; of a recorded failure (5xx) nobody
/// knows how far it came.</para>
/// <para>3. A problem of the library says what to do, in its <c>retry</c> member or by its code.</para>
/// <para>4. Without a key a retry is protected by nothing; and where the answer says that it is not recorded, neither.</para>
/// <para>5. 408, 425, 429, 500, 502, 503 and 504 pass.</para>
/// <para>6. Any other 4xx is a refusal, 409 among them: a conflict that is not "in progress" is the application's. Any other 5xx stays.</para>
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

    /// <summary>Whether a handler sends the request again by itself: if that is the advice, and the status is one that may pass, whatever the problem says.</summary>
    public static bool IsRetried(HttpResponseMessage response, Problem problem) =>
        (Passes(response.StatusCode) || response.StatusCode == HttpStatusCode.Conflict)
        && Advise(response, hasKey: true, problem) == IdempotencyRetryAdvice.SameKey;

    /// <summary>
    /// Whether an error of the connection may pass. Those that do not are what the two sides are: they find no common version, or the answer is beyond a limit set
    /// here. An error made of an answer (by a handler that throws for it) is judged as the answer.
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
        // An application that writes problems its own way may have dropped the member.
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
