namespace Idempotency.AspNetCore;

/// <summary>A run of a function.</summary>
/// <param name="key">The key as the caller gave it.</param>
/// <param name="storeKey">The key its record is stored under.</param>
/// <param name="fingerprint">What its payload is.</param>
/// <param name="claim">The claim it runs under; null when it runs unprotected.</param>
/// <param name="engine">Who keeps the claim.</param>
internal sealed class FunctionRun(string key, Sha256Hash storeKey, Sha256Hash fingerprint, OwnedClaim? claim, ClaimEngine engine) : IdempotentRun
{
    public override string Key => key;

    protected override OwnedClaim? Claim => claim;

    protected override (Sha256Hash StoreKey, Sha256Hash Fingerprint) Identity => (storeKey, fingerprint);

    protected override ClaimEngine Engine => engine;
}
