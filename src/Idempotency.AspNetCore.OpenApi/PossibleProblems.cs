using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>Which refusals a client can meet, by policy.</summary>
internal static class PossibleProblems
{
    /// <summary>Every refusal there is, whatever the policy.</summary>
    public static IReadOnlyList<IdempotencyProblem> All { get; } =
        [.. Of(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse, AuthorizeReplay = static _ => ValueTask.FromResult(false), Transaction = IdempotencyTransaction.SameAsHandler }, mayHaveBody: true)];

    /// <summary>The refusals under a policy, in the order of their statuses.</summary>
    /// <remarks>
    /// <para>The rules, in the order in which a request meets them:</para>
    /// <para>1. The key is missing: where one is required, from wherever it comes. 2. It is malformed: where it may come from the header; or it, or what is validated, cannot be selected: where there is a selector.
    /// 3. The body is too large: where there may be one. 4. The key was used for another request: unless nothing is compared. 5. The first is still
    /// running: always; waiting for it ends. 6. The outcome of an earlier attempt is unknown: where abandoned attempts are not taken over.
    /// 7. The answer is not kept: always; how large it is nobody knows before. 8. The store cannot be asked: unless the request runs then.
    /// 9. The record cannot be read: always. 10. The transaction lost to another, or its end is not known: where the handler runs in one. 11. The caller may not have the recorded answer: where the policy asks.</para>
    /// </remarks>
    public static IEnumerable<IdempotencyProblem> Of(IdempotencyPolicy policy, bool mayHaveBody)
    {
        if (policy.KeyRequired)
        {
            yield return IdempotencyProblem.KeyMissing(policy);
        }

        if (policy.TakesKeyFromHeader)
        {
            // One way to be malformed, for the example, in the words of the parser itself.
            _ = IdempotencyKey.TryParse(new StringValues(new string('x', IdempotencyKey.MaxLength + 1)), out _, out var error);
            yield return IdempotencyProblem.KeyInvalid(policy.HeaderName, error);
        }

        if ((policy.KeySelector ?? policy.FingerprintSelector) is { } selector)
        {
            // As the server says it, without its reason.
            var setting = policy.KeySelector is null ? nameof(policy.FingerprintSelector) : nameof(policy.KeySelector);
            yield return IdempotencyProblem.SelectorInapplicable($"The {setting} '{selector}' cannot be applied.");
        }

        yield return IdempotencyProblem.RequestInProgress;
        if (policy.WhenAbandoned == AbandonedBehavior.Refuse)
        {
            yield return IdempotencyProblem.OutcomeUnknown;
        }

        if (policy.AuthorizeReplay is not null)
        {
            yield return IdempotencyProblem.ReplayForbidden;
        }

        yield return IdempotencyProblem.ResponseUnavailable;
        if (mayHaveBody)
        {
            yield return IdempotencyProblem.BodyTooLarge(policy.MaxRequestBodySize);
        }

        if (policy.Fingerprint != RequestFingerprintMode.None || policy.FingerprintSelector is not null || policy.FingerprintHeaders.Count > 0)
        {
            yield return IdempotencyProblem.KeyReused;
        }

        if (policy.WhenStoreUnavailable == StoreUnavailableBehavior.Reject)
        {
            yield return IdempotencyProblem.StoreUnavailable;
        }

        yield return IdempotencyProblem.RecordUnreadable;

        if (policy.Transaction == IdempotencyTransaction.SameAsHandler)
        {
            yield return IdempotencyProblem.TransactionConflict;
            yield return IdempotencyProblem.CommitUnknown;
        }
    }
}
