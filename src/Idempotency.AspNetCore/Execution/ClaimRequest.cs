namespace Idempotency.AspNetCore;

/// <summary>The claim that a request or a function call asks for.</summary>
/// <param name="Key">The key that its record is stored under.</param>
/// <param name="Fingerprint">The fingerprint that a duplicate must have.</param>
/// <param name="Policy">The policy that protects it.</param>
internal readonly record struct ClaimRequest(StoreKey Key, Fingerprint Fingerprint, IdempotencyPolicy Policy)
{
    /// <summary>A first attempt, with a new owner.</summary>
    public IdempotencyClaim FirstAttempt() => Attempt(AttemptOwner.New(), 1);

    /// <summary>An attempt by an owner that already had the key.</summary>
    public IdempotencyClaim Attempt(Guid owner, int attempt) => new()
    {
        Owner = owner,
        Fingerprint = Fingerprint,
        Attempt = attempt,
        Lease = Policy.ClaimDuration,
        Retention = Policy.Retention,
    };
}
