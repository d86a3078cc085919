namespace Idempotency.AspNetCore;

/// <summary>The state of a record.</summary>
public enum IdempotencyRecordStatus
{
    /// <summary>Claimed: its handler is running, or the claim is abandoned.</summary>
    InProgress,

    /// <summary>The handler ran, and its response is recorded.</summary>
    Completed,
}
