using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>A problem with which the library rejects a request (RFC 9457). <see cref="All"/> is the catalog.</summary>
/// <remarks>
/// An application that calls <c>AddProblemDetails()</c> may customize what is sent; the <c>code</c> and <c>retry</c> members and the status are what clients go by. No text contains the key.
/// For the problems of one endpoint, in the very words of its policy, see <see cref="IdempotencyEndpoint.Problems"/>.
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

    /// <summary>The <c>code</c> member: what happened, for programs. Several problems may share one.</summary>
    public string Code { get; }

    /// <summary>The <c>type</c> member: an absolute URI (RFC 9457 section 3.1.1), <c>urn:problem-type:</c> and the code.</summary>
    public string Type => "urn:problem-type:" + Code; // a name rather than an address, because the address of a page outlives few libraries

    /// <summary>The <c>title</c> member: what happened, in words that do not change.</summary>
    public string Title { get; private init; }

    /// <summary>The <c>retry</c> member: what makes sense next, <c>same-key</c> (the same request again), <c>new-key</c> (a request with a new key) or <c>no</c>.</summary>
    public string Retry { get; }

    /// <summary>The <c>detail</c> member: what to do about it.</summary>
    public string Detail { get; private init; }

    /// <summary>The <c>Retry-After</c> header, in seconds; null where there is none.</summary>
    public int? RetryAfterSeconds { get; }

    internal static IdempotencyProblem RequestInProgress { get; } = new(
        StatusCodes.Status409Conflict,
        "idempotency-request-in-progress",
        "The first request with this idempotency key is still running.",
        SameKey,
        "Send the same request with the same key again in a moment: it gets the first one's answer.",
        retryAfterSeconds: 1);

    internal static IdempotencyProblem KeyReused { get; } = new(
        StatusCodes.Status422UnprocessableEntity,
        "idempotency-key-reused",
        "The idempotency key was used for another request.",
        NewKey,
        "The key belongs to a request with other content. Send this one with a key of its own; to retry the first, send exactly what was sent first.");

    internal static IdempotencyProblem OutcomeUnknown { get; } = new(
        StatusCodes.Status409Conflict,
        "idempotency-outcome-unknown",
        "An earlier attempt with this idempotency key ended without an answer.",
        No,
        "It may have had its effect or not, and it is not run again. Find out by other means before trying with a new key.");

    internal static IdempotencyProblem ResponseUnavailable { get; } = new(
        StatusCodes.Status409Conflict,
        "idempotency-response-unavailable",
        "The request was carried out, but its response is not kept.",
        No,
        "The response was too large to keep, or was streamed; the first caller got it. It is not run again.");

    internal static IdempotencyProblem ReplayForbidden { get; } = new(
        StatusCodes.Status403Forbidden,
        "idempotency-replay-forbidden",
        "The caller may not have the response to this request.",
        No,
        "The request is not run again, and nothing of an earlier response is returned.");

    internal static IdempotencyProblem StoreUnavailable { get; } = new(
        StatusCodes.Status503ServiceUnavailable,
        "idempotency-store-unavailable",
        "The idempotency store cannot be asked at the moment.",
        SameKey,
        "Nothing was carried out. Send the same request with the same key again later.",
        retryAfterSeconds: 5);

    internal static IdempotencyProblem StepNotRecorded { get; } = StoreUnavailable with
    {
        Title = "The request was interrupted.",
        Detail = "The idempotency store is unavailable. Send the same request with the same key again later: it continues where it stopped.",
    };

    internal static IdempotencyProblem StepResultUnavailable { get; } = ResponseUnavailable with
    {
        Title = "The request was interrupted and cannot continue.",
        Detail = "A part of it is done, but the result of that part is not available. It does not run again.",
    };

    internal static IdempotencyProblem RecordUnreadable { get; } = StoreUnavailable with
    {
        Title = "The record of this idempotency key cannot be read.",
        Detail = "Nothing was carried out now. Send the same request with the same key again later; if that does not help, the service's operator must look into it.",
    };

    internal static IdempotencyProblem TransactionConflict { get; } = new(
        StatusCodes.Status503ServiceUnavailable,
        "idempotency-transaction-conflict",
        "The request was undone in favour of another that ran at the same time.",
        SameKey,
        "Nothing was carried out. Send the same request with the same key again.",
        retryAfterSeconds: 1);

    internal static IdempotencyProblem CommitUnknown { get; } = StoreUnavailable with
    {
        Title = "It is not known at the moment whether the request was carried out.",
        Detail = "Send the same request with the same key again later: it gets the answer if the request was carried out, and is run if it was not.",
    };

    /// <summary>Every problem, whatever the policy: those that depend on one as the default policy has them.</summary>
    public static IReadOnlyList<IdempotencyProblem> All { get; } = [.. Catalog()];

    internal static IdempotencyProblem KeyMissing(IdempotencyPolicy policy) => new(
        StatusCodes.Status400BadRequest,
        "idempotency-key-missing",
        "The request needs an idempotency key.",
        NewKey,
        policy.TakesKeyFromHeader
            ? $"Send the header {policy.HeaderName} with a value of your own for each operation, for example a UUID, and the same value with each retry of it."
            : policy.KeySelector is { } selector
                ? $"The key is what the expression '{selector}' selects of the request, and it selects nothing. Send what it names."
                : "The request body is its idempotency key here, and there is none. Send a body.");

    internal static IdempotencyProblem SelectorInapplicable(string error) => new(
        StatusCodes.Status400BadRequest,
        "idempotency-key-invalid",
        "What tells this request from others cannot be selected from it.",
        NewKey,
        error);

    internal static IdempotencyProblem KeyInvalid(string headerName, string error) => new(
        StatusCodes.Status400BadRequest,
        "idempotency-key-invalid",
        "The idempotency key is malformed.",
        NewKey,
        $"The header {headerName} is not a valid key. {error}");

    internal static IdempotencyProblem BodyTooLarge(long limit) => new(
        StatusCodes.Status413PayloadTooLarge,
        "idempotency-body-too-large",
        "The request body is too large for an endpoint that is protected by an idempotency key.",
        No,
        $"The limit here is {limit} bytes. Nothing was carried out.");

    private static IEnumerable<IdempotencyProblem> Catalog()
    {
        var policy = new IdempotencyPolicy();
        yield return KeyMissing(policy);
        yield return KeyInvalid(policy.HeaderName, "It is empty. Send 1 to 255 characters, for example a UUID.");
        yield return SelectorInapplicable("The selector of the policy cannot be applied.");
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
