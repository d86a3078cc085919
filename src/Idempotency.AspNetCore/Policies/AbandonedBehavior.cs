namespace Idempotency.AspNetCore;

/// <summary>What happens to a key whose owner vanished: its process crashed, or it lost the store for longer than its lease.</summary>
public enum AbandonedBehavior
{
    /// <summary>
    /// The next request with the key takes the claim over and runs the handler (or the function) again, with
    /// <see cref="IIdempotentRun.TookOver"/> set and <see cref="IIdempotentRun.Attempt"/> one higher. The default.
    /// </summary>
    TakeOver,

    /// <summary>
    /// The key is answered 409 <c>idempotency-outcome-unknown</c>, or with <see cref="IdempotencyOutcomeUnknownException"/>, until its retention is over: for effects that must never happen twice,
    /// even at the price of somebody looking into it. An attempt that recorded steps (<c>IIdempotentRun.StepAsync</c>) is resumed all the same when every step that it began is recorded: put all effects
    /// of such a handler into steps.
    /// </summary>
    Refuse,
}
