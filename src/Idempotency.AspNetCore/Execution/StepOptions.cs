namespace Idempotency.AspNetCore;

/// <summary>How one step of a run behaves; see <c>IIdempotentRun.StepAsync</c>.</summary>
public sealed record StepOptions
{
    /// <summary>
    /// What happens when the step was interrupted. Null (the default): as the policy treats an abandoned run, which is <see cref="InterruptedStepBehavior.RunAgain"/> under <see cref="AbandonedBehavior.TakeOver"/> and
    /// <see cref="InterruptedStepBehavior.Refuse"/> under <see cref="AbandonedBehavior.Refuse"/>.
    /// </summary>
    public InterruptedStepBehavior? WhenInterrupted { get; init; }
}
