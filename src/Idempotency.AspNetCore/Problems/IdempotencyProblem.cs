using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>Every refusal the library gives, in RFC 9457 terms.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">The <c>code</c> member; also the end of <c>type</c>.</param>
/// <param name="Title">What happened, in words that do not change.</param>
/// <param name="Retry">The <c>retry</c> member: <c>same-key</c>, <c>new-key</c> or <c>no</c>.</param>
/// <param name="Detail">What to do about it. Never contains the key.</param>
/// <param name="RetryAfterSeconds">The <c>Retry-After</c> header, in seconds, or null.</param>
internal sealed record IdempotencyProblem(int Status, string Code, string Title, string Retry, string Detail, int? RetryAfterSeconds = null)
{
    private const string SameKey = "same-key";
    private const string NewKey = "new-key";
    private const string No = "no";

    public static IdempotencyProblem RequestInProgress { get; } = new(
        StatusCodes.Status409Conflict,
        "idempotency-request-in-progress",
        "The first request with this idempotency key is still running.",
        SameKey,
        "Send the same request with the same key again in a moment: it gets the first one's answer.",
        RetryAfterSeconds: 1);

    public static IdempotencyProblem KeyReused { get; } = new(
        StatusCodes.Status422UnprocessableEntity,
        "idempotency-key-reused",
        "The idempotency key was used for another request.",
        NewKey,
        "The key belongs to a request with other content. Send this one with a key of its own; to retry the first, send exactly what was sent first.");

    public static IdempotencyProblem OutcomeUnknown { get; } = new(
        StatusCodes.Status409Conflict,
        "idempotency-outcome-unknown",
        "An earlier attempt with this idempotency key ended without an answer.",
        No,
        "It may have had its effect or not, and it is not run again. Find out by other means before trying with a new key.");

    public static IdempotencyProblem ResponseUnavailable { get; } = new(
        StatusCodes.Status409Conflict,
        "idempotency-response-unavailable",
        "The request was carried out, but its response is not kept.",
        No,
        "The response was too large to keep, or was streamed; the first caller got it. It is not run again.");

    public static IdempotencyProblem ReplayForbidden { get; } = new(
        StatusCodes.Status403Forbidden,
        "idempotency-replay-forbidden",
        "The caller may not have the response to this request.",
        No,
        "The request is not run again, and nothing of an earlier response is returned.");

    public static IdempotencyProblem StoreUnavailable { get; } = new(
        StatusCodes.Status503ServiceUnavailable,
        "idempotency-store-unavailable",
        "The idempotency store cannot be asked at the moment.",
        SameKey,
        "Nothing was carried out. Send the same request with the same key again later.",
        RetryAfterSeconds: 5);

    public static IdempotencyProblem StepNotRecorded { get; } = StoreUnavailable with
    {
        Title = "The request was interrupted.",
        Detail = "The idempotency store is unavailable. Send the same request with the same key again later: it continues where it stopped.",
    };

    public static IdempotencyProblem StepResultUnavailable { get; } = ResponseUnavailable with
    {
        Title = "The request was interrupted and cannot continue.",
        Detail = "A part of it is done, but the result of that part is not available. It does not run again.",
    };

    public static IdempotencyProblem RecordUnreadable { get; } = StoreUnavailable with
    {
        Title = "The record of this idempotency key cannot be read.",
        Detail = "Nothing was carried out now. Send the same request with the same key again later; if that does not help, the service's operator must look into it.",
    };

    public static IdempotencyProblem TransactionConflict { get; } = new(
        StatusCodes.Status503ServiceUnavailable,
        "idempotency-transaction-conflict",
        "The request was undone in favour of another that ran at the same time.",
        SameKey,
        "Nothing was carried out. Send the same request with the same key again.",
        RetryAfterSeconds: 1);

    public static IdempotencyProblem CommitUnknown { get; } = StoreUnavailable with
    {
        Title = "It is not known at the moment whether the request was carried out.",
        Detail = "Send the same request with the same key again later: it gets the answer if the request was carried out, and is run if it was not.",
    };

    /// <summary>An absolute URI, as RFC 9457 section 3.1.1 advises; a name rather than an address, because the address of a page outlives few libraries.</summary>
    public string Type => "urn:problem-type:" + Code;

    public static IdempotencyProblem KeyMissing(IdempotencyPolicy policy) => new(
        StatusCodes.Status400BadRequest,
        "idempotency-key-missing",
        "The request needs an idempotency key.",
        NewKey,
        policy.TakesKeyFromHeader
            ? $"Send the header {policy.HeaderName} with a value of your own for each operation, for example a UUID, and the same value with each retry of it."
            : policy.KeySelector is { } selector
                ? $"The key is what the expression '{selector}' selects of the request, and it selects nothing. Send what it names."
                : "The request body is its idempotency key here, and there is none. Send a body.");

    public static IdempotencyProblem SelectorInapplicable(string error) => new(
        StatusCodes.Status400BadRequest,
        "idempotency-key-invalid",
        "What tells this request from others cannot be selected from it.",
        NewKey,
        error);

    public static IdempotencyProblem KeyInvalid(string headerName, string error) => new(
        StatusCodes.Status400BadRequest,
        "idempotency-key-invalid",
        "The idempotency key is malformed.",
        NewKey,
        $"The header {headerName} is not a valid key. {error}");

    public static IdempotencyProblem BodyTooLarge(long limit) => new(
        StatusCodes.Status413PayloadTooLarge,
        "idempotency-body-too-large",
        "The request body is too large for an endpoint that is protected by an idempotency key.",
        No,
        $"The limit here is {limit} bytes. Nothing was carried out.");
}
