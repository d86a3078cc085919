namespace Idempotency.AspNetCore.Tests;

/// <summary>Clients act on codes, statuses and <c>retry</c>; people read titles, and search for them. None of these changes after a release.</summary>
public sealed class ProblemTextTests
{
    private static readonly (string Code, int Status, string Retry, string Title)[] Published =
    [
        ("idempotency-key-missing", 400, "new-key", "An idempotency key is required."),
        ("idempotency-key-invalid", 400, "new-key", "The idempotency key is not valid."),
        ("idempotency-key-invalid", 400, "new-key", "The idempotency key could not be extracted from the request."),
        ("idempotency-replay-forbidden", 403, "no", "The caller is not allowed to receive the recorded response."),
        ("idempotency-request-in-progress", 409, "same-key", "A request with this idempotency key is already in progress."),
        ("idempotency-outcome-unknown", 409, "no", "The outcome of an earlier attempt with this idempotency key is unknown."),
        ("idempotency-response-unavailable", 409, "no", "The request was completed, but its response was not recorded."),
        ("idempotency-response-unavailable", 409, "no", "The request was interrupted and cannot be resumed."),
        ("idempotency-body-too-large", 413, "no", "The request body is too large."),
        ("idempotency-key-reused", 422, "new-key", "The idempotency key was already used for a different request."),
        ("idempotency-store-unavailable", 503, "same-key", "The idempotency store is unavailable."),
        ("idempotency-store-unavailable", 503, "same-key", "The record of this idempotency key cannot be read."),
        ("idempotency-store-unavailable", 503, "same-key", "The request was interrupted."),
        ("idempotency-store-unavailable", 503, "same-key", "It is not known whether the request took effect."),
        ("idempotency-transaction-conflict", 503, "same-key", "The request conflicted with another request that ran at the same time."),
    ];

    [Fact]
    public void Codes_statuses_retry_advice_and_titles_do_not_change() =>
        Assert.Equal(
            Published.Order(),
            IdempotencyProblem.All.Select(problem => (problem.Code, problem.Status, problem.Retry, problem.Title)).Order());

    [Fact]
    public void A_type_is_a_URN_of_the_code_and_every_text_is_a_sentence() =>
        Assert.All(IdempotencyProblem.All, problem =>
        {
            Assert.Equal("urn:problem-type:" + problem.Code, problem.Type);
            Assert.Matches("^[A-Z].*[^.][.]$", problem.Title);
            Assert.Matches("^[A-Z].*[^.][.]$", problem.Detail);
        });
}
