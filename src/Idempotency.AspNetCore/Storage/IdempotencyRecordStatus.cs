namespace Idempotency.AspNetCore;

/// <summary>The state of a record.</summary>
public enum IdempotencyRecordStatus
{
    /// <summary>Claimed: its handler is running, or its owner vanished.</summary>
    InProgress,

    /// <summary>The handler ran and its answer is kept.</summary>
    Completed,
}
