namespace Idempotency.AspNetCore;

/// <summary>What happens to a step that was interrupted: its attempt ended after the step started and before it was recorded, so it may or may not have taken effect.</summary>
public enum InterruptedStepBehavior
{
    /// <summary>The next attempt runs the step again. For work that detects duplicates itself, for example by <see cref="IIdempotentRun.DownstreamKey"/>.</summary>
    RunAgain,

    /// <summary>
    /// There is no further attempt: retries are rejected with 409 <c>idempotency-outcome-unknown</c> (<see cref="IdempotencyOutcomeUnknownException"/>). For work that must never run twice. The start of the step is recorded before its work
    /// runs, which takes one more store call.
    /// </summary>
    Refuse,
}
