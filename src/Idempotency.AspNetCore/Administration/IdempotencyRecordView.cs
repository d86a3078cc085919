namespace Idempotency.AspNetCore;

/// <summary>A record, for an operator's eyes.</summary>
public sealed record IdempotencyRecordView
{
    /// <summary>The key it is stored under.</summary>
    public required StoreKey StoreKey { get; init; }

    /// <summary>In progress or completed.</summary>
    public required IdempotencyRecordStatus Status { get; init; }

    /// <summary>Whether its owner vanished: in progress, and its lease is over.</summary>
    public required bool IsAbandoned { get; init; }

    /// <summary>Which attempt it is of.</summary>
    public required int Attempt { get; init; }

    /// <summary>
    /// Whether irreversible effects may have started (<see cref="IIdempotentRun.MarkEffectsStartedAsync"/>, or a step that must not run twice): when the claim is abandoned, no other attempt runs,
    /// whatever the policy says. False for completed records.
    /// </summary>
    public bool EffectsStarted { get; init; }

    /// <summary>How much of the lease is left, while it is in progress; less than zero when it is over.</summary>
    public TimeSpan? LeaseRemaining { get; init; }

    /// <summary>How long a completed record is still kept.</summary>
    public TimeSpan? RetentionRemaining { get; init; }

    /// <summary>The steps that were recorded, or have begun, while it is in progress. They are gone once it is completed.</summary>
    public IReadOnlyList<IdempotencyStepView> Steps { get; init; } = [];

    /// <summary>The recorded status of a completed request; null while it is in progress, or for a function's result.</summary>
    public int? ResponseStatus { get; init; }

    /// <summary>The names of the recorded headers. Their values are the caller's.</summary>
    public IReadOnlyList<string> ResponseHeaders { get; init; } = [];

    /// <summary>The length of the recorded body, in bytes; null when there is none that is kept. What it says is the caller's.</summary>
    public int? ResponseBodySize { get; init; }
}
