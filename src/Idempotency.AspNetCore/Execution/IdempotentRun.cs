namespace Idempotency.AspNetCore;

/// <summary>A run as its own work sees it, over HTTP and of functions alike.</summary>
internal abstract class IdempotentRun : IIdempotentRun
{
    public abstract string Key { get; }

    public int Attempt => Claim?.Attempt ?? 1;

    public bool TookOver => Attempt > 1;

    public CancellationToken ClaimLost => Claim?.Lost ?? CancellationToken.None;

    /// <summary>The claim it runs under; null when it runs unprotected.</summary>
    protected abstract OwnedClaim? Claim { get; }
}
