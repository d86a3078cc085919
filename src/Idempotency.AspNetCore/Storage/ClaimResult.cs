namespace Idempotency.AspNetCore;

/// <summary>The outcome of <see cref="IIdempotencyStore.ClaimAsync"/>.</summary>
public readonly record struct ClaimResult
{
    private ClaimResult(bool isAcquired, IdempotencyRecord? existing, ReadOnlyMemory<byte> steps = default)
    {
        IsAcquired = isAcquired;
        Existing = existing;
        Steps = steps;
    }

    /// <summary>The claim was taken.</summary>
    public static ClaimResult Acquired { get; } = new(isAcquired: true, null);

    /// <summary>An abandoned claim was taken over, with the steps that earlier attempts recorded.</summary>
    /// <param name="steps">The data of the steps; empty if there are none.</param>
    public static ClaimResult TookOver(ReadOnlyMemory<byte> steps) => new(isAcquired: true, null, steps);

    /// <summary>The claim was not taken because of an existing record; null if the claim to supersede no longer exists.</summary>
    public static ClaimResult Held(IdempotencyRecord? existing) => new(isAcquired: false, existing);

    /// <summary>Whether the claim was taken.</summary>
    public bool IsAcquired { get; }

    /// <summary>The steps that earlier attempts recorded (<see cref="IdempotencySteps.Data"/>), if the claim was taken; empty if there are none.</summary>
    public ReadOnlyMemory<byte> Steps { get; }

    /// <summary>The existing record, if the claim was not taken.</summary>
    public IdempotencyRecord? Existing { get; }
}
