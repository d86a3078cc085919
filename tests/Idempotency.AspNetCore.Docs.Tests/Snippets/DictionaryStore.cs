namespace Idempotency.AspNetCore.Docs.Tests;

#region docs: dictionary-store
public sealed class DictionaryStore(TimeProvider time) : IIdempotencyStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<StoreKey, Row> _rows = [];

    public ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            var row = Find(key);
            if (row is null ? claim.Supersedes is not null : !CanSupersede(row, claim))
            {
                return new(ClaimResult.Held(row?.ToRecord(Now)));
            }

            _rows[key] = new Row
            {
                Owner = claim.Owner,
                Attempt = claim.Attempt,
                Fingerprint = claim.Fingerprint,
                LeaseEnd = Now + claim.Lease,
                End = Now + claim.Lease + claim.Retention,
                Payload = row?.Payload ?? default, // the steps of the attempt before
                StepsVersion = row?.StepsVersion ?? 0,
            };
            return new(row is null ? ClaimResult.Acquired : ClaimResult.TookOver(row.Payload));
        }
    }

    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        ChangeAsync(key, owner, row => row.Renew(Now, lease, retention), cancellationToken);

    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        ChangeAsync(key, owner, row =>
        {
            row.EffectsStarted = true;
            row.Renew(Now, lease, retention);
        }, cancellationToken);

    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) =>
        ChangeAsync(key, owner, row =>
        {
            if (steps.Version > row.StepsVersion)
            {
                (row.Payload, row.StepsVersion, row.EffectsStarted) = (steps.Data, steps.Version, steps.EffectsStarted);
                row.Renew(Now, lease, retention);
            }
        }, cancellationToken);

    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
        ChangeAsync(key, owner, row =>
        {
            (row.IsCompleted, row.EffectsStarted) = (true, false);
            (row.Payload, row.End) = (payload, Now + retention);
        }, cancellationToken);

    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken) =>
        ChangeAsync(key, owner, row =>
        {
            if (row.Payload.IsEmpty)
            {
                _rows.Remove(key);
            }
            else
            {
                (row.Owner, row.LeaseEnd, row.EffectsStarted) = (Guid.Empty, Now, false); // with steps: for the next attempt
            }
        }, cancellationToken);

    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            return new(Find(key)?.ToRecord(Now));
        }
    }

    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            return new(Find(key) is not null && _rows.Remove(key));
        }
    }

    private DateTimeOffset Now => time.GetUtcNow();

    // A record that is gone counts as absent. (A real store also removes it at some time.)
    private Row? Find(StoreKey key) => _rows.GetValueOrDefault(key) is { } row && row.End > Now ? row : null;

    private bool CanSupersede(Row row, IdempotencyClaim claim) =>
        row.Owner == claim.Supersedes && row.Attempt == claim.Attempt - 1 && row.Fingerprint == claim.Fingerprint
        && !row.IsCompleted && row.LeaseEnd <= Now && !row.EffectsStarted;

    // The condition of every operation with an owner, and its write, as one step.
    private ValueTask<bool> ChangeAsync(StoreKey key, Guid owner, Action<Row> change, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (Find(key) is not { IsCompleted: false } row || row.Owner != owner)
            {
                return new(false);
            }

            change(row);
            return new(true);
        }
    }

    private sealed class Row
    {
        public required Guid Owner { get; set; }
        public required int Attempt { get; init; }
        public required Fingerprint Fingerprint { get; init; }
        public required DateTimeOffset LeaseEnd { get; set; }
        public required DateTimeOffset End { get; set; }
        public ReadOnlyMemory<byte> Payload { get; set; }
        public int StepsVersion { get; set; }
        public bool EffectsStarted { get; set; }
        public bool IsCompleted { get; set; }

        public void Renew(DateTimeOffset now, TimeSpan lease, TimeSpan retention) => (LeaseEnd, End) = (now + lease, now + lease + retention);

        public IdempotencyRecord ToRecord(DateTimeOffset now) => new()
        {
            Status = IsCompleted ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
            Owner = Owner,
            Attempt = Attempt,
            Fingerprint = Fingerprint,
            Payload = Payload,
            EffectsStarted = EffectsStarted,
            LeaseRemaining = IsCompleted ? TimeSpan.Zero : LeaseEnd - now,
            RetentionRemaining = End - now,
        };
    }
}
#endregion
