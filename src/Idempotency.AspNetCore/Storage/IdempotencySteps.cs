namespace Idempotency.AspNetCore;

/// <summary>The recorded steps of a run, as <see cref="IIdempotencyStore.SaveStepsAsync"/> saves them: always all of them.</summary>
public readonly record struct IdempotencySteps
{
    /// <summary>
    /// Tells later steps from earlier ones: 1 for the first that are saved under a key, and more each time, over all attempts. A store saves only a version higher than the one it has, so that a write that arrives late
    /// never takes back a step.
    /// </summary>
    public required int Version { get; init; }

    /// <summary>The steps, in a format that only the library reads and writes. Never empty.</summary>
    public required ReadOnlyMemory<byte> Data { get; init; }

    /// <summary>Whether the claim is marked (<see cref="IdempotencyRecord.EffectsStarted"/>) from now on: a step has begun that must not run twice, or irreversible effects have started.</summary>
    public required bool EffectsStarted { get; init; }
}
