namespace Idempotency.AspNetCore;

/// <summary>What a claim writes. See <see cref="IIdempotencyStore.ClaimAsync"/>.</summary>
public readonly record struct IdempotencyClaim
{
    /// <summary>A random value that no other attempt has: whoever completes, renews or releases must present it.</summary>
    public required Guid Owner { get; init; }

    /// <summary>The fingerprint of the request.</summary>
    public required Fingerprint Fingerprint { get; init; }

    /// <summary>Which attempt this is: 1, or one more than the attempt that is taken over.</summary>
    public required int Attempt { get; init; }

    /// <summary>How long the claim lives unless it is renewed.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>How long the record is kept after its lease is over, so that an abandoned claim can be told from a key never used.</summary>
    public required TimeSpan Retention { get; init; }

    /// <summary>The owner whose abandoned claim this one takes over; null for a fresh claim.</summary>
    public Guid? Supersedes { get; init; }
}
