using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>A problem with which the library rejects a request, as problem details (RFC 9457). <see cref="All"/> is the catalog.</summary>
/// <remarks>
/// An application that calls <c>AddProblemDetails()</c> can customize the response; clients rely on the status and the <c>code</c> and <c>retry</c> members. No text contains the key.
/// For the problems of one endpoint, with the texts of its policy, see <see cref="IdempotencyEndpoint.Problems"/>.
/// </remarks>
public sealed record IdempotencyProblem
{
    private const string SameKey = "same-key";
    private const string NewKey = "new-key";
    private const string No = "no";

    private IdempotencyProblem(int status, string code, string title, string retry, string detail, int? retryAfterSeconds = null) =>
        (Status, Code, Title, Retry, Detail, RetryAfterSeconds) = (status, code, title, retry, detail, retryAfterSeconds);

    /// <summary>The HTTP status.</summary>
    public int Status { get; }

    /// <summary>The <c>code</c> member: a stable code for programs. Several problems can have the same code.</summary>
    public string Code { get; }

    /// <summary>The <c>type</c> member: an absolute URI (RFC 9457 section 3.1.1) made of <c>urn:problem-type:</c> and the code.</summary>
    public string Type => "urn:problem-type:" + Code; // a name rather than an address, because libraries often outlive the addresses of their pages

    /// <summary>The <c>title</c> member: a short summary that does not change.</summary>
    public string Title { get; private init; }

    /// <summary>The <c>retry</c> member: what the client can do next. <c>same-key</c>: retry with the same key. <c>new-key</c>: send a request with a new key. <c>no</c>: neither.</summary>
    public string Retry { get; }

    /// <summary>The <c>detail</c> member: what to do about the problem.</summary>
    public string Detail { get; private init; }

    /// <summary>The value of the <c>Retry-After</c> header in seconds; null if the response has none.</summary>
    public int? RetryAfterSeconds { get; }

    internal static IdempotencyProblem RequestInProgress { get; } = new(
        StatusCodes.Status409Conflict,
        "idempotency-request-in-progress",
        "A request with this idempotency key is already in progress.",
        SameKey,
        "Retry the same request with the same key in a moment to receive its response.",
        retryAfterSeconds: 1);

    internal static IdempotencyProblem KeyReused { get; } = new(
        StatusCodes.Status422UnprocessableEntity,
        "idempotency-key-reused",
        "The idempotency key was already used for a different request.",
        NewKey,
        "Send this request with a new key. To retry the first request, resend it unchanged.");

    internal static IdempotencyProblem OutcomeUnknown { get; } = new(
        StatusCodes.Status409Conflict,
        "idempotency-outcome-unknown",
        "The outcome of an earlier attempt with this idempotency key is unknown.",
        No,
        "It may or may not have taken effect, so the request was not run again. Check whether it took effect before you send a new request with a new key.");

    internal static IdempotencyProblem ResponseUnavailable { get; } = new(
        StatusCodes.Status409Conflict,
        "idempotency-response-unavailable",
        "The request was completed, but its response was not recorded.",
        No,
        "The response was too large to record, or was streamed, and only the first caller received it. The request was not run again.");

    internal static IdempotencyProblem ReplayForbidden { get; } = new(
        StatusCodes.Status403Forbidden,
        "idempotency-replay-forbidden",
        "The caller is not allowed to receive the recorded response.",
        No,
        "The request was not run again, and no part of the recorded response is returned.");

    internal static IdempotencyProblem StoreUnavailable { get; } = new(
        StatusCodes.Status503ServiceUnavailable,
        "idempotency-store-unavailable",
        "The idempotency store is unavailable.",
        SameKey,
        "The request was not run. Retry it later with the same key.",
        retryAfterSeconds: 5);

    internal static IdempotencyProblem StepNotRecorded { get; } = StoreUnavailable with
    {
        Title = "The request was interrupted.",
        Detail = "The idempotency store is unavailable. Retry the request later with the same key; it resumes where it stopped.",
    };

    internal static IdempotencyProblem StepResultUnavailable { get; } = ResponseUnavailable with
    {
        Title = "The request was interrupted and cannot be resumed.",
        Detail = "One of its steps is complete, but the result of that step is not available. The step does not run again.",
    };

    internal static IdempotencyProblem RecordUnreadable { get; } = StoreUnavailable with
    {
        Title = "The record of this idempotency key cannot be read.",
        Detail = "The request was not run. Retry it later with the same key. If the problem persists, contact the operator of the service.",
    };

    internal static IdempotencyProblem TransactionConflict { get; } = new(
        StatusCodes.Status503ServiceUnavailable,
        "idempotency-transaction-conflict",
        "The request conflicted with another request that ran at the same time.",
        SameKey,
        "The transaction was rolled back and nothing was changed. Retry the request with the same key.",
        retryAfterSeconds: 1);

    internal static IdempotencyProblem CommitUnknown { get; } = StoreUnavailable with
    {
        Title = "It is not known whether the request took effect.",
        Detail = "Retry the request later with the same key. If the request took effect, the retry receives its response; if it did not, the retry runs.",
    };

    /// <summary>All problems. Texts that depend on a policy use the default policy.</summary>
    public static IReadOnlyList<IdempotencyProblem> All { get; } = [.. Catalog()];

    internal static IdempotencyProblem KeyMissing(IdempotencyPolicy policy) => new(
        StatusCodes.Status400BadRequest,
        "idempotency-key-missing",
        "An idempotency key is required.",
        NewKey,
        policy.TakesKeyFromHeader
            ? $"Send the {policy.HeaderName} header with a unique value for each operation, for example a UUID, and the same value with each retry."
            : policy.KeySelector is { } selector
                ? $"The key is selected from the request with the expression '{selector}', which selected nothing. Send the values that it refers to."
                : "The request body is the idempotency key, and the request has no body. Send a body.");

    internal static IdempotencyProblem SelectorInapplicable(string error) => new(
        StatusCodes.Status400BadRequest,
        "idempotency-key-invalid",
        "The idempotency key could not be extracted from the request.",
        NewKey,
        error);

    internal static IdempotencyProblem KeyInvalid(string headerName, string error) => new(
        StatusCodes.Status400BadRequest,
        "idempotency-key-invalid",
        "The idempotency key is not valid.",
        NewKey,
        $"The value of the {headerName} header is not a valid key. {error}");

    internal static IdempotencyProblem BodyTooLarge(long limit) => new(
        StatusCodes.Status413PayloadTooLarge,
        "idempotency-body-too-large",
        "The request body is too large.",
        No,
        $"The body of a request with an idempotency key can have at most {limit} bytes. The request was not run.");

    private static IEnumerable<IdempotencyProblem> Catalog()
    {
        var policy = new IdempotencyPolicy();
        yield return KeyMissing(policy);
        yield return KeyInvalid(policy.HeaderName, "It is empty. Send 1 to 255 characters, for example a UUID.");
        yield return SelectorInapplicable("The selector of the policy could not be applied to the request.");
        yield return ReplayForbidden;
        yield return RequestInProgress;
        yield return OutcomeUnknown;
        yield return ResponseUnavailable;
        yield return BodyTooLarge(policy.MaxRequestBodySize);
        yield return KeyReused;
        yield return StoreUnavailable;
        yield return RecordUnreadable;
        yield return StepNotRecorded;
        yield return StepResultUnavailable;
        yield return TransactionConflict;
        yield return CommitUnknown;
    }
}
