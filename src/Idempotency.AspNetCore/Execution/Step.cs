namespace Idempotency.AspNetCore;

/// <summary>A step of a run.</summary>
/// <param name="Name">Its name, unique in the run.</param>
/// <param name="State">How far it is known to have come.</param>
/// <param name="Attempt">Which attempt brought it there.</param>
/// <param name="At">When that was, by the clock of that attempt's server.</param>
/// <param name="Result">Its result as a <see cref="StoredResult"/>; empty while it has only begun.</param>
internal sealed record Step(string Name, StepState State, int Attempt, DateTimeOffset At, ReadOnlyMemory<byte> Result);
