namespace Idempotency.AspNetCore;

/// <summary>How far a step is known to have come. The values are part of what stores keep.</summary>
public enum StepState
{
    /// <summary>Its work may have run: it began, and there is no record of its end.</summary>
    Begun = 1,

    /// <summary>Its work is done, and does not run again.</summary>
    Recorded = 2,
}
