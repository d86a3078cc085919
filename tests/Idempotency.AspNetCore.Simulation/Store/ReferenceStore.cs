namespace Idempotency.AspNetCore.Simulation;

/// <summary>The rules of <see cref="IIdempotencyStore"/> written down as plainly as can be: what every store must do, whatever it is made of.</summary>
/// <remarks>Redis, DynamoDB and databases stand behind the same contract, and cannot run in a simulated world: this is what runs in their place.</remarks>
internal class ReferenceStore(TimeProvider time) : IIdempotencyStore
{
    private readonly Dictionary<StoreKey, Record> _records = [];

    protected long Now => time.Ticks();

    public virtual ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        var record = Find(key);
        if (record is null ? claim.Supersedes is not null : !MaySupersede(record, claim))
        {
            return new(ClaimResult.Held(Read(record)));
        }

        _records[key] = new Record
        {
            Payload = record?.Payload ?? default, // the steps of a claim that is taken over
            StepsVersion = record?.StepsVersion ?? 0,
            Owner = claim.Owner,
            Attempt = claim.Attempt,
            Fingerprint = claim.Fingerprint,
            ClaimedAt = Now,
            LeaseUntil = MonotonicTime.After(Now, claim.Lease),
            GoneAt = MonotonicTime.After(MonotonicTime.After(Now, claim.Lease), claim.Retention),
        };
        return new(record is null ? ClaimResult.Acquired : ClaimResult.TookOver(record.Payload));
    }

    public virtual ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) => new(Renew(FindClaim(key, owner), lease, retention));

    public virtual ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        var claim = FindClaim(key, owner);
        if (claim is not null)
        {
            claim.EffectsStarted = true;
        }

        return new(Renew(claim, lease, retention));
    }

    public virtual ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        var claim = FindClaim(key, owner);
        if (claim is null || steps.Version <= claim.StepsVersion)
        {
            return new(claim is not null);
        }

        (claim.StepsVersion, claim.Payload, claim.EffectsStarted) = (steps.Version, steps.Data, steps.EffectsStarted);
        return new(Renew(claim, lease, retention));
    }

    public virtual ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
        new(Complete(FindClaim(key, owner), payload, retention));

    public virtual ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken)
    {
        if (FindClaim(key, owner) is not { StepsVersion: > 0 } withSteps)
        {
            return new(FindClaim(key, owner) is not null && _records.Remove(key));
        }

        (withSteps.Owner, withSteps.EffectsStarted, withSteps.LeaseUntil) = (Guid.Empty, false, Now);
        return new(true);
    }

    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken) => new(Read(Find(key)));

    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken) => new(Find(key) is not null && _records.Remove(key));

    protected virtual bool MaySupersede(Record record, in IdempotencyClaim claim) =>
        IsPrevious(record, claim) && !record.EffectsStarted;

    /// <summary>Whether a claim would take over the record, if its effects had not started.</summary>
    protected bool IsPrevious(Record record, in IdempotencyClaim claim) =>
        claim.Supersedes == record.Owner && claim.Attempt == record.Attempt + 1 && claim.Fingerprint == record.Fingerprint && !record.IsCompleted && Now >= record.LeaseUntil;

    protected virtual bool IsGone(Record record) => Now >= record.GoneAt;

    protected Record? Find(StoreKey key)
    {
        if (!_records.TryGetValue(key, out var record))
        {
            return null;
        }

        if (!IsGone(record))
        {
            return record;
        }

        _records.Remove(key);
        return null;
    }

    protected virtual Record? FindClaim(StoreKey key, Guid owner) => Find(key) is { IsCompleted: false } record && record.Owner == owner ? record : null;

    protected bool Renew(Record? claim, TimeSpan lease, TimeSpan retention)
    {
        if (claim is null)
        {
            return false;
        }

        claim.LeaseUntil = MonotonicTime.After(Now, lease);
        claim.GoneAt = MonotonicTime.After(claim.LeaseUntil, retention);
        return true;
    }

    protected bool Complete(Record? claim, ReadOnlyMemory<byte> payload, TimeSpan retention)
    {
        if (claim is null)
        {
            return false;
        }

        claim.IsCompleted = true;
        claim.EffectsStarted = false;
        claim.StepsVersion = 0;
        claim.Payload = payload;
        claim.GoneAt = MonotonicTime.After(Now, retention);
        return true;
    }

    protected void Forget(StoreKey key) => _records.Remove(key);

    private IdempotencyRecord? Read(Record? record) => record is null ? null : new IdempotencyRecord
    {
        Status = record.IsCompleted ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
        Owner = record.Owner,
        Attempt = record.Attempt,
        Fingerprint = record.Fingerprint,
        Payload = record.Payload,
        EffectsStarted = record.EffectsStarted,
        LeaseRemaining = record.IsCompleted ? TimeSpan.Zero : new TimeSpan(record.LeaseUntil - Now),
        RetentionRemaining = new TimeSpan(record.GoneAt - Now),
    };

    /// <summary>A record, whether or not it is gone.</summary>
    protected sealed class Record
    {
        public Guid Owner { get; set; }

        public int Attempt { get; init; }

        public Fingerprint Fingerprint { get; init; }

        public long ClaimedAt { get; init; }

        public long LeaseUntil { get; set; }

        public long GoneAt { get; set; }

        public bool EffectsStarted { get; set; }

        public bool IsCompleted { get; set; }

        public int StepsVersion { get; set; }

        public ReadOnlyMemory<byte> Payload { get; set; }
    }
}
