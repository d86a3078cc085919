namespace Idempotency.AspNetCore;

/// <summary>A record as read from a store.</summary>
public sealed record IdempotencyRecord
{
    /// <summary>In progress or completed.</summary>
    public required IdempotencyRecordStatus Status { get; init; }

    /// <summary>The owner of the claim.</summary>
    public required Guid Owner { get; init; }

    /// <summary>The number of the attempt; 1 unless an abandoned claim was taken over.</summary>
    public required int Attempt { get; init; }

    /// <summary>The fingerprint of the request that claimed it.</summary>
    public required Fingerprint Fingerprint { get; init; }

    /// <summary>The payload of a completed record, or the recorded steps of a record in progress (<see cref="IdempotencySteps.Data"/>), empty if there are none. Versioned formats that only the library reads and writes.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The rest of the lease at the time of the read, by the store's clock. Zero or less if it has ended, and zero for completed records.</summary>
    public TimeSpan LeaseRemaining { get; init; }

    /// <summary>The rest of the retention at the time of the read, by the store's clock. Only defined for completed records.</summary>
    public TimeSpan RetentionRemaining { get; init; }

    /// <summary>Whether effects may have started (<see cref="IIdempotencyStore.MarkEffectsStartedAsync"/>), so that the claim is never taken over. False for completed records.</summary>
    public bool EffectsStarted { get; init; }

    /// <summary>Whether the claim is abandoned: in progress, and its lease has ended.</summary>
    public bool IsAbandoned => Status == IdempotencyRecordStatus.InProgress && LeaseRemaining <= TimeSpan.Zero;
}
