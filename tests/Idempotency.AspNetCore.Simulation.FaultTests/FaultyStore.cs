namespace Idempotency.AspNetCore.Simulation;

/// <summary>A store that breaks one rule of its contract.</summary>
internal sealed class FaultyStore(TimeProvider time, StoreFault fault) : ReferenceStore(time)
{
    private readonly Dictionary<StoreKey, long> _lastClaims = [];
    private int _completions;
    private ReadOnlyMemory<byte> _lastSteps;
    private StoreFault _applied;

    public override ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        var existing = Find(key);
        var isFresh = claim.Supersedes is null;
        if (existing is { IsCompleted: false } && isFresh
            && ((fault == StoreFault.LooksBeforeItWrites && _lastClaims.TryGetValue(key, out var last) && Now - last < TimeSpan.TicksPerMillisecond)
                || (fault == StoreFault.FreshClaimTakesAbandoned && Now >= existing.LeaseUntil)))
        {
            Forget(key); // and the claim is taken as if nothing had been there
        }

        _lastClaims[key] = Now;
        var result = base.ClaimAsync(key, claim, cancellationToken).Reply();
        return new(result.Steps.IsEmpty ? result : fault switch
        {
            StoreFault.LosesStepsOnTakeover => ClaimResult.Acquired,
            StoreFault.HandsOverStepsOfAnother => ClaimResult.TookOver(_lastSteps),
            _ => result,
        });
    }

    public override ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        using var _ = new Applying(this, StoreFault.SavesStepsForAnybody);
        _lastSteps = steps.Data;
        if (fault == StoreFault.SavesOlderSteps && FindClaim(key, owner) is { } claim)
        {
            claim.StepsVersion = 0;
        }

        return base.SaveStepsAsync(key, owner, steps, lease, retention, cancellationToken);
    }

    public override ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        using var _ = new Applying(this, StoreFault.RenewsForAnybody);
        return fault == StoreFault.RenewalChangesNothing ? new(FindClaim(key, owner) is not null) : base.RenewAsync(key, owner, lease, retention, cancellationToken);
    }

    public override ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        fault == StoreFault.ForgetsTheMark ? RenewAsync(key, owner, lease, retention, cancellationToken) : base.MarkEffectsStartedAsync(key, owner, lease, retention, cancellationToken);

    public override ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken)
    {
        using var _ = new Applying(this, StoreFault.CompletesForAnybody);
        if (fault == StoreFault.LosesWhatItConfirmed && ++_completions % 10 == 0 && FindClaim(key, owner) is not null)
        {
            Forget(key);
            return new(true);
        }

        return base.CompleteAsync(key, owner, payload, fault == StoreFault.RetentionCountsFromClaim && FindClaim(key, owner) is { } claim ? retention - new TimeSpan(Now - claim.ClaimedAt) : retention, cancellationToken);
    }

    public override ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken)
    {
        using var _ = new Applying(this, StoreFault.ReleasesForAnybody);
        if (fault == StoreFault.ReleasesCompleted && Find(key) is { IsCompleted: true } record && record.Owner == owner)
        {
            Forget(key);
            return new(true);
        }

        if (fault == StoreFault.LosesStepsOnRelease && FindClaim(key, owner) is not null)
        {
            Forget(key);
            return new(true);
        }

        return base.ReleaseAsync(key, owner, cancellationToken);
    }

    protected override Record? FindClaim(StoreKey key, Guid owner) => _applied == fault && Find(key) is { IsCompleted: false } anybodys ? anybodys : base.FindClaim(key, owner);

    protected override bool MaySupersede(Record record, in IdempotencyClaim claim) => fault switch
    {
        StoreFault.TakesOverLiveClaims when claim.Supersedes is null && !record.IsCompleted => true,
        StoreFault.ForgetsTheMark => IsPrevious(record, claim),
        StoreFault.ComparesOwnersAlone => base.MaySupersede(record, claim with { Attempt = record.Attempt + 1, Fingerprint = record.Fingerprint }),
        _ => base.MaySupersede(record, claim),
    };

    protected override bool IsGone(Record record) => fault == StoreFault.RetentionTakesLiveClaims && !record.IsCompleted
        ? Now >= record.ClaimedAt + (record.GoneAt - record.LeaseUntil)
        : base.IsGone(record);

    /// <summary>Which operation is being done.</summary>
    private readonly struct Applying : IDisposable
    {
        private readonly FaultyStore _store;

        public Applying(FaultyStore store, StoreFault fault)
        {
            _store = store;
            store._applied = fault;
        }

        public void Dispose() => _store._applied = StoreFault.None;
    }
}
