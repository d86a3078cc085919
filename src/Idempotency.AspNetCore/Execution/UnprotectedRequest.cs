namespace Idempotency.AspNetCore;

/// <summary>A request that runs without a claim, because the store could not be asked and the policy says so: its handler finds the same feature, and the same downstream keys.</summary>
internal sealed class UnprotectedRequest(string key, Sha256Hash storeKey, Sha256Hash fingerprint, ClaimEngine engine) : IdempotentRun, IIdempotencyFeature
{
    public override string Key => key;

    protected override OwnedClaim? Claim => null;

    protected override (Sha256Hash StoreKey, Sha256Hash Fingerprint) Identity => (storeKey, fingerprint);

    protected override ClaimEngine Engine => engine;
}
