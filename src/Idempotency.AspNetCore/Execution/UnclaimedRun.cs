namespace Idempotency.AspNetCore;

/// <summary>A run without a claim: the store is unavailable and the policy allows the work to run unprotected, or the caller gave no key. The work gets the same feature and the same downstream keys.</summary>
internal sealed class UnclaimedRun(string key, StoreKey storeKey, Fingerprint fingerprint) : IdempotentRun, IIdempotencyFeature
{
    public override string Key => key;

    protected override OwnedClaim? Claim => null;

    protected override (StoreKey StoreKey, Fingerprint Fingerprint) Identity => (storeKey, fingerprint);
}
