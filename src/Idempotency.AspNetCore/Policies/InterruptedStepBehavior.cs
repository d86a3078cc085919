namespace Idempotency.AspNetCore;

/// <summary>What happens to a step whose attempt ended between its start and its record: its work may or may not have taken effect.</summary>
public enum InterruptedStepBehavior
{
    /// <summary>The next attempt runs the step again. For work that recognises a repetition, for example by <see cref="IIdempotentRun.DownstreamKey"/>.</summary>
    RunAgain,

    /// <summary>
    /// No attempt follows: retries are rejected with 409 <c>idempotency-outcome-unknown</c> (<see cref="IdempotencyOutcomeUnknownException"/>). For work that must never run twice. The start of the step is recorded before its work
    /// runs, which takes one more store call.
    /// </summary>
    Refuse,
}
