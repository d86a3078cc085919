namespace Idempotency.AspNetCore;

/// <summary>What happens to an abandoned claim: one whose lease ended without completion, because its process crashed or lost the store for longer than the lease.</summary>
public enum AbandonedBehavior
{
    /// <summary>
    /// The next request with the key takes over the claim and runs the handler (or the function) again, with
    /// <see cref="IIdempotentRun.TookOver"/> set and <see cref="IIdempotentRun.Attempt"/> one higher. The default.
    /// </summary>
    TakeOver,

    /// <summary>
    /// Requests with the key are rejected with 409 <c>idempotency-outcome-unknown</c> (calls with <see cref="IdempotencyOutcomeUnknownException"/>) until the retention ends. For effects that must
    /// never happen twice, at the cost of a manual check. An attempt with recorded steps (<c>IIdempotentRun.StepAsync</c>) is still resumed if every step that it started was recorded, so put all effects of
    /// such a handler into steps.
    /// </summary>
    Refuse,
}
