namespace Idempotency.AspNetCore;

/// <summary>A step of a run, for an operator. Its result is the caller's and never returned.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">How far it is known to have come.</param>
/// <param name="Attempt">Which attempt brought it there.</param>
/// <param name="At">When that was, by the clock of that attempt's server.</param>
public sealed record IdempotencyStepView(string Name, StepState State, int Attempt, DateTimeOffset At);
