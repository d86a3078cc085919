namespace Idempotency.AspNetCore;

/// <summary>Options of one step; see <c>IIdempotentRun.StepAsync</c>.</summary>
public sealed record StepOptions
{
    /// <summary>
    /// What happens if the step was interrupted. Null (the default): it follows the policy, which means <see cref="InterruptedStepBehavior.RunAgain"/> with <see cref="AbandonedBehavior.TakeOver"/> and
    /// <see cref="InterruptedStepBehavior.Refuse"/> with <see cref="AbandonedBehavior.Refuse"/>.
    /// </summary>
    public InterruptedStepBehavior? WhenInterrupted { get; init; }
}
