namespace Idempotency.AspNetCore.Simulation;

/// <summary>What one step of a handler's run does, and how long it takes.</summary>
/// <param name="Name">Its name: the same in every attempt of a request.</param>
/// <param name="WhenInterrupted">Whether it may run again after an interruption; null for what the policy says.</param>
/// <param name="Takes">How long its work takes.</param>
/// <param name="Fails">Whether its work throws, at its end.</param>
/// <param name="IsOptional">Whether the handler goes on when it throws.</param>
internal readonly record struct StepPlan(string Name, InterruptedStepBehavior? WhenInterrupted = null, TimeSpan Takes = default, bool Fails = false, bool IsOptional = false)
{
    public StepOptions? Options => WhenInterrupted is null ? null : new StepOptions { WhenInterrupted = WhenInterrupted };

    /// <summary>Whether its work must never run twice.</summary>
    public bool IsOnce(IdempotencyPolicy policy) => WhenInterrupted is { } chosen ? chosen == InterruptedStepBehavior.Refuse : policy.WhenAbandoned == AbandonedBehavior.Refuse;
}
