namespace Idempotency.AspNetCore;

/// <summary>A record as a store read it.</summary>
public sealed record IdempotencyRecord
{
    /// <summary>In progress or completed.</summary>
    public required IdempotencyRecordStatus Status { get; init; }

    /// <summary>Who claimed it.</summary>
    public required Guid Owner { get; init; }

    /// <summary>Which attempt claimed it; 1 unless an abandoned claim was taken over.</summary>
    public required int Attempt { get; init; }

    /// <summary>The fingerprint of the request that claimed it.</summary>
    public required Fingerprint Fingerprint { get; init; }

    /// <summary>What it was completed with; while in progress its recorded steps (<see cref="IdempotencySteps.Data"/>), empty when there are none. Versioned formats that only the library reads and writes.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>How much of the lease was left when it was read, by the store's clock; zero or less when it is over. Zero for completed records.</summary>
    public TimeSpan LeaseRemaining { get; init; }

    /// <summary>How much of the retention was left when it was read, by the store's clock. Meaningful for completed records.</summary>
    public TimeSpan RetentionRemaining { get; init; }

    /// <summary>Whether its effects may have begun (<see cref="IIdempotencyStore.MarkEffectsStartedAsync"/>): then it is never taken over. False for completed records.</summary>
    public bool EffectsStarted { get; init; }

    /// <summary>Whether its owner vanished: in progress, and the lease is over.</summary>
    public bool IsAbandoned => Status == IdempotencyRecordStatus.InProgress && LeaseRemaining <= TimeSpan.Zero;
}
