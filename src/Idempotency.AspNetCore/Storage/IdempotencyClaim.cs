namespace Idempotency.AspNetCore;

/// <summary>The data of a claim. See <see cref="IIdempotencyStore.ClaimAsync"/>.</summary>
public readonly record struct IdempotencyClaim
{
    /// <summary>A random value that identifies the attempt. Completing, renewing and releasing require it.</summary>
    public required Guid Owner { get; init; }

    /// <summary>The fingerprint of the request.</summary>
    public required Fingerprint Fingerprint { get; init; }

    /// <summary>The number of the attempt: 1, or one more than the attempt that is taken over.</summary>
    public required int Attempt { get; init; }

    /// <summary>How long the claim lasts unless it is renewed.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>How long the record remains after its lease has ended, so that an abandoned claim can be distinguished from an unused key.</summary>
    public required TimeSpan Retention { get; init; }

    /// <summary>The owner whose abandoned claim is taken over; null for a new claim. A claim that was released with its steps has the owner <see cref="Guid.Empty"/>.</summary>
    public Guid? Supersedes { get; init; }
}
