namespace Idempotency.AspNetCore;

/// <summary>The recorded steps of a run, as <see cref="IIdempotencyStore.SaveStepsAsync"/> saves them: always all steps.</summary>
public readonly record struct IdempotencySteps
{
    /// <summary>
    /// Orders the saves of steps: 1 for the first save under a key, and higher for each later one, across attempts. A store saves only a version that is higher than the one it has, so that a late write
    /// never undoes a step.
    /// </summary>
    public required int Version { get; init; }

    /// <summary>The steps, in a format that only the library reads and writes. Never empty.</summary>
    public required ReadOnlyMemory<byte> Data { get; init; }

    /// <summary>Whether the claim is marked (<see cref="IdempotencyRecord.EffectsStarted"/>) from now on: a step that must not run twice has started, or irreversible effects have started.</summary>
    public required bool EffectsStarted { get; init; }
}
