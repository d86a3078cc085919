namespace Idempotency.AspNetCore;

/// <summary>The last known state of a step. The values are part of the stored format.</summary>
public enum StepState
{
    /// <summary>The step started, and its end was not recorded: its work may have run.</summary>
    Begun = 1,

    /// <summary>The work of the step is complete and does not run again.</summary>
    Recorded = 2,
}
