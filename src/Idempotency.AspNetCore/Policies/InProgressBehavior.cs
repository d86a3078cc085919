namespace Idempotency.AspNetCore;

/// <summary>What happens to a duplicate while the first request is running.</summary>
public enum InProgressBehavior
{
    /// <summary>It is rejected with 409 <c>idempotency-request-in-progress</c> and <c>Retry-After: 1</c>, or with <see cref="IdempotencyInProgressException"/>. The default.</summary>
    Reject,

    /// <summary>
    /// It waits up to <see cref="IdempotencyPolicy.WaitTimeout"/> and receives the first response as soon as it is recorded; after the timeout, it is rejected as with <see cref="Reject"/>.
    /// If the first attempt fails in the meantime, exactly one of the waiting requests runs the handler.
    /// </summary>
    Wait,
}
