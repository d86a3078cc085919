namespace Idempotency.AspNetCore;

/// <summary>A step of a run.</summary>
/// <param name="Name">Its name, unique in the run.</param>
/// <param name="State">Its last known state.</param>
/// <param name="Attempt">The attempt that set the state.</param>
/// <param name="At">When the state was set, by the clock of that attempt's server.</param>
/// <param name="Result">Its result as a <see cref="StoredResult"/>; empty while it has only started.</param>
internal sealed record Step(string Name, StepState State, int Attempt, DateTimeOffset At, ReadOnlyMemory<byte> Result);
