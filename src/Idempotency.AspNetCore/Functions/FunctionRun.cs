namespace Idempotency.AspNetCore;

/// <summary>A run of a function.</summary>
/// <param name="key">The key as the caller gave it.</param>
/// <param name="claim">The claim it runs under; null when it runs unprotected.</param>
internal sealed class FunctionRun(string key, OwnedClaim? claim) : IdempotentRun
{
    public override string Key => key;

    protected override OwnedClaim? Claim => claim;
}
