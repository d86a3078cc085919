namespace Idempotency.AspNetCore;

/// <summary>A step of a run, as an operator sees it. Its result is never returned.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">Its last known state.</param>
/// <param name="Attempt">The attempt that set the state.</param>
/// <param name="At">When the state was set, by the clock of that attempt's server.</param>
public sealed record IdempotencyStepView(string Name, StepState State, int Attempt, DateTimeOffset At);
