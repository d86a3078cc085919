namespace Idempotency.AspNetCore;

/// <summary>What a duplicate is told while the first request is still running.</summary>
public enum InProgressBehavior
{
    /// <summary>409 <c>idempotency-request-in-progress</c> with <c>Retry-After: 1</c>, or <see cref="IdempotencyInProgressException"/>. The default.</summary>
    Reject,

    /// <summary>
    /// The duplicate waits, up to <see cref="IdempotencyPolicy.WaitTimeout"/>, and gets the first answer as soon as it is there; then that.
    /// If the first attempt fails meanwhile, exactly one of those waiting runs the handler.
    /// </summary>
    Wait,
}
