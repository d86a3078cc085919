namespace Idempotency.AspNetCore;

/// <summary>A record, as an operator sees it.</summary>
public sealed record IdempotencyRecordView
{
    /// <summary>The key that it is stored under.</summary>
    public required StoreKey StoreKey { get; init; }

    /// <summary>In progress or completed.</summary>
    public required IdempotencyRecordStatus Status { get; init; }

    /// <summary>Whether the claim is abandoned: in progress, and its lease has ended.</summary>
    public required bool IsAbandoned { get; init; }

    /// <summary>The number of the attempt.</summary>
    public required int Attempt { get; init; }

    /// <summary>
    /// Whether irreversible effects may have started (<see cref="IIdempotentRun.MarkEffectsStartedAsync"/>, or a step that must not run twice): when the claim is abandoned, no other attempt runs,
    /// whatever the policy says. False for completed records.
    /// </summary>
    public bool EffectsStarted { get; init; }

    /// <summary>The rest of the lease of a record in progress; negative if the lease has ended.</summary>
    public TimeSpan? LeaseRemaining { get; init; }

    /// <summary>The rest of the retention of a completed record.</summary>
    public TimeSpan? RetentionRemaining { get; init; }

    /// <summary>The steps of a record in progress that were recorded, or have started. Empty once the record is completed.</summary>
    public IReadOnlyList<IdempotencyStepView> Steps { get; init; } = [];

    /// <summary>The recorded status of a completed request; null while it is in progress, or for a function's result.</summary>
    public int? ResponseStatus { get; init; }

    /// <summary>The names of the recorded headers. Header values are never returned.</summary>
    public IReadOnlyList<string> ResponseHeaders { get; init; } = [];

    /// <summary>The size of the recorded body in bytes; null if no body is recorded. The body itself is never returned.</summary>
    public int? ResponseBodySize { get; init; }
}
