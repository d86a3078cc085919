namespace Idempotency.AspNetCore;

/// <summary>The outcome of <see cref="IIdempotencyStore.ClaimAsync"/>.</summary>
public readonly record struct ClaimResult
{
    private ClaimResult(bool isAcquired, IdempotencyRecord? existing)
    {
        IsAcquired = isAcquired;
        Existing = existing;
    }

    /// <summary>The claim was taken.</summary>
    public static ClaimResult Acquired { get; } = new(isAcquired: true, null);

    /// <summary>The claim was not taken, because of this record; or, with null, because the claim it was to supersede is not there any more.</summary>
    public static ClaimResult Held(IdempotencyRecord? existing) => new(isAcquired: false, existing);

    /// <summary>Whether the claim was taken.</summary>
    public bool IsAcquired { get; }

    /// <summary>The record that is in the way.</summary>
    public IdempotencyRecord? Existing { get; }
}
