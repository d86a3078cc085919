namespace Idempotency.AspNetCore;

/// <summary>What a request or a call of a function asks for: to be the one that runs.</summary>
/// <param name="Key">The key its record is stored under.</param>
/// <param name="Fingerprint">What a duplicate must equal.</param>
/// <param name="Policy">How it is protected.</param>
internal readonly record struct ClaimRequest(StoreKey Key, Fingerprint Fingerprint, IdempotencyPolicy Policy)
{
    /// <summary>The first attempt, by an owner that no other attempt has.</summary>
    public IdempotencyClaim FirstAttempt() => Attempt(AttemptOwner.New(), 1);

    /// <summary>The attempt of an owner that had the key, once more.</summary>
    public IdempotencyClaim Attempt(Guid owner, int attempt) => new()
    {
        Owner = owner,
        Fingerprint = Fingerprint,
        Attempt = attempt,
        Lease = Policy.ClaimDuration,
        Retention = Policy.Retention,
    };
}
