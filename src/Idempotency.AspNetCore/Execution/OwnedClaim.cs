namespace Idempotency.AspNetCore;

/// <summary>A claim this process owns, from the moment it is taken until it is completed, released or lost.</summary>
internal sealed class OwnedClaim(Sha256Hash key, Sha256Hash fingerprint, Guid owner, int attempt, IdempotencyPolicy policy, long leaseUntil)
{
    // Made when somebody asks for the token, which few handlers do.
    private CancellationTokenSource? _lost;
    private bool _isLost;

    public Sha256Hash Key { get; } = key;

    public Sha256Hash Fingerprint { get; } = fingerprint;

    public Guid Owner { get; } = owner;

    public int Attempt { get; } = attempt;

    public IdempotencyPolicy Policy { get; } = policy;

    /// <summary>Whether its handler runs in a transaction, to be begun before it.</summary>
    public bool IsTransactional => Policy.Transaction != IdempotencyTransaction.Separate;

    /// <summary>Until when nobody else can take it over, in ticks of this process's clock: counted from before the store was asked, so never too long.</summary>
    public long LeaseUntil { get; set; } = leaseUntil;

    /// <summary>Whether the store was told that effects may have begun.</summary>
    public bool EffectsStarted { get; set; }

    /// <summary>Whether its answer is recorded, while its handler may still run.</summary>
    public bool IsRecorded { get; set; }

    /// <summary>The transaction its handler runs in; null where there is none, and when it is over.</summary>
    public IIdempotencyTransaction? Transaction { get; set; }

    // Its place in the lease keeper's lane, which alone touches these. They are here so that keeping a claim takes nothing but the claim.

    /// <summary>Where its lease is kept; null while it is not.</summary>
    public LeaseKeeper.Lane? Lane { get; set; }

    /// <summary>When it is to be renewed next, in ticks.</summary>
    public long DueAt { get; set; }

    public OwnedClaim? Earlier { get; set; }

    public OwnedClaim? Later { get; set; }

    public CancellationToken Lost
    {
        get
        {
            var source = LazyInitializer.EnsureInitialized(ref _lost, static () => new CancellationTokenSource());
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref _isLost))
            {
                source.Cancel();
            }

            return source.Token;
        }
    }

    /// <returns>Whether it was not known before.</returns>
    public bool MarkLost()
    {
        var wasLost = Interlocked.Exchange(ref _isLost, true); // a full fence: or the source may be made, and the flag not seen, between this and the next line
        // Asynchronously: what a handler hangs on the token must not hold up renewals.
        Volatile.Read(ref _lost)?.CancelAsync();
        return !wasLost;
    }
}
