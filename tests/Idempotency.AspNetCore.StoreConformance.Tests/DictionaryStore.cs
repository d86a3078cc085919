namespace Idempotency.AspNetCore.StoreConformance.Tests;

/// <summary>A store as an outsider would write a first one: a dictionary and a lock. With a fault, one of its rules is broken.</summary>
public sealed class DictionaryStore(TimeProvider time, Fault fault = Fault.None) : IIdempotencyStore
{
    private readonly Dictionary<StoreKey, Entry> _entries = [];
    private readonly Lock _lock = new();

    private DateTimeOffset Now => time.GetUtcNow();

    public async ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        Heed(cancellationToken);
        lock (_lock)
        {
            if (fault != Fault.ClaimsInTwoSteps || Find(key) is not null)
            {
                return Claim(key, claim);
            }
        }

        // Behind the claims that are waiting for a thread, so that they look too, however few processors there are.
        await Task.Factory.StartNew(static () => { }, CancellationToken.None, TaskCreationOptions.PreferFairness, TaskScheduler.Default);
        lock (_lock)
        {
            _entries.Remove(Key(key));
            return Claim(key, claim);
        }
    }

    private ClaimResult Claim(StoreKey key, IdempotencyClaim claim)
    {
        var found = Find(key);
        if (claim.Supersedes is { } superseded)
        {
            var isTaken = found is { IsCompleted: false }
                && (found.Owner == superseded || fault == Fault.TakesOverWithoutItsOwner)
                && (found.Fingerprint == claim.Fingerprint || fault == Fault.TakesOverAnotherRequest)
                && (found.Attempt == claim.Attempt - 1 || fault == Fault.TakesOverALaterAttempt)
                && (found.LeaseEnd <= Now || fault == Fault.TakesALiveClaim)
                && (!found.IsMarked || fault == Fault.TakesOverAMarkedClaim);
            if (!isTaken)
            {
                return ClaimResult.Held(found is null ? null : Read(found));
            }

            var steps = fault == Fault.LosesStepsAtATakeover ? default : found!.Payload;
            _entries[Key(key)] = New(claim) with { Payload = steps, StepsVersion = found!.StepsVersion };
            return ClaimResult.TookOver(steps);
        }

        if (found is not null)
        {
            return ClaimResult.Held(Read(found));
        }

        _entries[Key(key)] = New(claim);
        return ClaimResult.Acquired;
    }

    private Entry New(IdempotencyClaim claim) => new(claim.Owner, fault == Fault.LosesTheFingerprint ? default : claim.Fingerprint, claim.Attempt, Now + claim.Lease, Now + claim.Retention + (fault == Fault.ForgetsALiveClaim ? TimeSpan.Zero : claim.Lease));

    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Change(key, owner, fault == Fault.RenewsForAnyone, entry => fault == Fault.RenewsNothing ? entry : Renewed(entry, lease, retention), cancellationToken);

    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Change(key, owner, anyone: false, entry => Renewed(entry, lease, retention) with { IsMarked = fault != Fault.LosesTheMark }, cancellationToken);

    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        Change(
            key,
            owner,
            anyone: false,
            entry => steps.Version <= entry.StepsVersion && fault != Fault.SavesOldSteps
                ? entry
                : Renewed(entry, lease, retention) with { Payload = steps.Data.ToArray(), StepsVersion = steps.Version, IsMarked = steps.EffectsStarted },
            cancellationToken);

    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
        Change(
            key,
            owner,
            fault == Fault.CompletesForAnyone,
            entry => entry with { IsCompleted = true, IsMarked = false, Payload = (fault == Fault.CutsPayloads && payload.Length > 100_000 ? payload[..100_000] : payload).ToArray(), End = Now + retention },
            cancellationToken,
            fault == Fault.CompletesTwice);

    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken) =>
        Change(
            key,
            owner,
            fault == Fault.ReleasesForAnyone,
            entry => entry.Payload.IsEmpty || entry.IsCompleted || fault == Fault.LosesStepsAtARelease ? null : entry with { Owner = Guid.Empty, LeaseEnd = Now, IsMarked = false },
            cancellationToken,
            fault == Fault.ReleasesCompleted);

    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken)
    {
        Heed(cancellationToken);
        lock (_lock)
        {
            return ValueTask.FromResult(Find(key) is { } entry ? Read(entry) : null);
        }
    }

    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken)
    {
        Heed(cancellationToken);
        lock (_lock)
        {
            return ValueTask.FromResult(Find(key) is not null && _entries.Remove(Key(key)));
        }
    }

    private ValueTask<bool> Change(StoreKey key, Guid owner, bool anyone, Func<Entry, Entry?> change, CancellationToken cancellationToken, bool alsoCompleted = false)
    {
        Heed(cancellationToken);
        lock (_lock)
        {
            if (Find(key) is not { } entry || (entry.IsCompleted && !alsoCompleted) || (entry.Owner != owner && !anyone))
            {
                return ValueTask.FromResult(false);
            }

            if (change(entry) is { } changed)
            {
                _entries[Key(key)] = changed;
            }
            else
            {
                _entries.Remove(Key(key));
            }

            return ValueTask.FromResult(true);
        }
    }

    private Entry Renewed(Entry entry, TimeSpan lease, TimeSpan retention) => entry with { LeaseEnd = Now + lease, End = Now + lease + retention };

    private Entry? Find(StoreKey key)
    {
        if (!_entries.TryGetValue(Key(key), out var entry))
        {
            return null;
        }

        var isGone = (entry.End <= Now && !(fault == Fault.KeepsCompletedRecords && entry.IsCompleted))
            || (fault == Fault.ForgetsAnAbandonedClaim && !entry.IsCompleted && entry.LeaseEnd <= Now);
        return isGone ? null : entry;
    }

    // A store that confuses keys looks at too little of them.
    private StoreKey Key(StoreKey key) => fault == Fault.MixesKeys ? new StoreKey(Sha256Hash.Of(System.Text.Encoding.UTF8.GetBytes(key.ToString()[..1]))) : key;

    private void Heed(CancellationToken cancellationToken)
    {
        if (fault != Fault.IgnoresCancellation)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private IdempotencyRecord Read(Entry entry) => new()
    {
        Status = entry.IsCompleted ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
        Owner = entry.Owner,
        Attempt = entry.Attempt,
        Fingerprint = entry.Fingerprint,
        Payload = entry.Payload,
        LeaseRemaining = entry.IsCompleted ? TimeSpan.Zero : entry.LeaseEnd - Now,
        RetentionRemaining = entry.End - Now,
        EffectsStarted = entry.IsMarked,
    };

    private sealed record Entry(Guid Owner, Fingerprint Fingerprint, int Attempt, DateTimeOffset LeaseEnd, DateTimeOffset End)
    {
        public bool IsCompleted { get; init; }

        public bool IsMarked { get; init; }

        public int StepsVersion { get; init; }

        public ReadOnlyMemory<byte> Payload { get; init; }
    }
}
