using System.Security.Cryptography;

namespace Idempotency.AspNetCore;

/// <summary>
/// The conformance tests for stores: the rules of <see cref="IIdempotencyStore"/>, one test for each. Derive a test class from it, give it your store, and say how time passes there. For a store that implements
/// <see cref="IAbandonedClaimSource"/>, derive from <see cref="ListingConformanceTests"/> instead.
/// </summary>
/// <remarks>
/// The tests may run in parallel with others on the same store: each uses random keys of its own, and leaves its records to expire within an hour. xUnit makes a new instance for each test.
/// </remarks>
public abstract class StoreConformanceTests
{
    /// <summary>
    /// A lease or retention that is over after <see cref="PassAsync"/> of <see cref="Longer"/>. Default: 500 milliseconds. Nothing is asserted while it lasts, so a slow machine does no harm. Override it for a store whose
    /// clock is coarser.
    /// </summary>
    protected virtual TimeSpan Brief => TimeSpan.FromMilliseconds(500);

    /// <summary>A time that is longer than <see cref="Brief"/>. Default: 300 milliseconds longer. Override it for a store that allows for clocks that differ.</summary>
    protected virtual TimeSpan Longer => Brief + TimeSpan.FromMilliseconds(300);

    private protected static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    /// <summary>The store under test: the same instance for the whole of a test.</summary>
    protected abstract IIdempotencyStore Store { get; }

    /// <summary>Lets time pass for the store: moves the clock that it uses, or waits.</summary>
    /// <param name="time">How much time: at least this long for the store.</param>
    protected abstract Task PassAsync(TimeSpan time);

    private protected static StoreKey NewKey() => new(Sha256Hash.Of(Guid.NewGuid().ToByteArray()));

    private static IdempotencyClaim NewClaim(TimeSpan? lease = null, TimeSpan? retention = null) => new()
    {
        Owner = Guid.NewGuid(),
        Fingerprint = new Fingerprint(NewKey().Hash),
        Attempt = 1,
        Lease = lease ?? Hour,
        Retention = retention ?? Hour,
    };

    /// <summary>The attempt that takes over a claim; for one that was released, of nobody.</summary>
    private static IdempotencyClaim Next(IdempotencyClaim claim, Guid? supersedes = null) => claim with
    {
        Owner = Guid.NewGuid(),
        Attempt = claim.Attempt + 1,
        Lease = Hour,
        Retention = Hour,
        Supersedes = supersedes ?? claim.Owner,
    };

    private protected async Task<IdempotencyClaim> ClaimedAsync(StoreKey key, TimeSpan? lease = null, TimeSpan? retention = null)
    {
        var claim = NewClaim(lease, retention);
        Assert.True((await Store.ClaimAsync(key, claim, default)).IsAcquired);
        return claim;
    }

    private async Task<IdempotencyClaim> CompletedAsync(StoreKey key, ReadOnlyMemory<byte> payload, TimeSpan? retention = null)
    {
        var claim = await ClaimedAsync(key);
        Assert.True(await Store.CompleteAsync(key, claim.Owner, payload, retention ?? Hour, default));
        return claim;
    }

    [Fact]
    public async Task A_key_nobody_used_is_acquired_and_then_held()
    {
        var key = NewKey();
        Assert.Null(await Store.ReadAsync(key, default));
        var claim = await ClaimedAsync(key);
        var second = await Store.ClaimAsync(key, NewClaim(), default);
        Assert.False(second.IsAcquired);
        foreach (var record in new[] { second.Existing, await Store.ReadAsync(key, default) })
        {
            Assert.NotNull(record);
            Assert.Equal(IdempotencyRecordStatus.InProgress, record.Status);
            Assert.Equal(claim.Owner, record.Owner);
            Assert.Equal(claim.Fingerprint, record.Fingerprint);
            Assert.Equal(1, record.Attempt);
            Assert.True(record.Payload.IsEmpty);
            Assert.False(record.IsAbandoned);
            Assert.InRange(record.LeaseRemaining, Hour - TimeSpan.FromMinutes(1), Hour + TimeSpan.FromMinutes(1));
        }
    }

    [Fact]
    public async Task Of_many_concurrent_claims_one_is_acquired()
    {
        for (var round = 0; round < 20; round++)
        {
            var key = NewKey();
            var results = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(async () => await Store.ClaimAsync(key, NewClaim(), default))));
            Assert.Single(results, result => result.IsAcquired);
            Assert.Single(results.Where(result => !result.IsAcquired).Select(result => result.Existing!.Owner).Distinct());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(200_000)]
    public async Task A_completed_record_is_read_byte_for_byte(int size)
    {
        var key = NewKey();
        var payload = RandomNumberGenerator.GetBytes(size);
        var claim = await CompletedAsync(key, payload);
        var held = await Store.ClaimAsync(key, NewClaim(), default);
        Assert.False(held.IsAcquired);
        foreach (var record in new[] { held.Existing, await Store.ReadAsync(key, default) })
        {
            Assert.NotNull(record);
            Assert.Equal(IdempotencyRecordStatus.Completed, record.Status);
            Assert.Equal(payload, record.Payload.ToArray());
            Assert.Equal(claim.Owner, record.Owner);
            Assert.Equal(claim.Fingerprint, record.Fingerprint);
            Assert.False(record.IsAbandoned);
            Assert.InRange(record.RetentionRemaining, Hour - TimeSpan.FromMinutes(1), Hour + TimeSpan.FromMinutes(1));
        }
    }

    [Fact]
    public async Task A_released_key_is_free_at_once()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        Assert.True(await Store.ReleaseAsync(key, claim.Owner, default));
        Assert.Null(await Store.ReadAsync(key, default));
        Assert.False(await Store.ReleaseAsync(key, claim.Owner, default));
        await ClaimedAsync(key);
    }

    [Fact]
    public async Task Nobody_but_the_owner_completes_renews_or_releases()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        var before = await Store.ReadAsync(key, default);
        foreach (var stranger in new[] { Guid.NewGuid(), Guid.Empty })
        {
            Assert.False(await Store.CompleteAsync(key, stranger, new byte[] { 1 }, Hour, default));
            Assert.False(await Store.RenewAsync(key, stranger, Hour, Hour, default));
            Assert.False(await Store.ReleaseAsync(key, stranger, default));
        }

        var after = await Store.ReadAsync(key, default);
        Assert.Equal(IdempotencyRecordStatus.InProgress, after!.Status);
        Assert.Equal(before!.Owner, after.Owner);
        Assert.True(await Store.CompleteAsync(key, claim.Owner, new byte[] { 1 }, Hour, default));
    }

    [Fact]
    public async Task A_completed_record_is_final_also_for_its_owner()
    {
        var key = NewKey();
        var claim = await CompletedAsync(key, new byte[] { 1 });
        Assert.False(await Store.CompleteAsync(key, claim.Owner, new byte[] { 2 }, Hour, default));
        Assert.False(await Store.RenewAsync(key, claim.Owner, Hour, Hour, default));
        Assert.False(await Store.ReleaseAsync(key, claim.Owner, default));
        Assert.False((await Store.ClaimAsync(key, Next(claim), default)).IsAcquired);
        Assert.Equal([1], (await Store.ReadAsync(key, default))!.Payload.ToArray());
    }

    [Fact]
    public async Task Operations_on_a_key_that_is_not_there_find_nothing()
    {
        var key = NewKey();
        Assert.False(await Store.CompleteAsync(key, Guid.NewGuid(), new byte[] { 1 }, Hour, default));
        Assert.False(await Store.RenewAsync(key, Guid.NewGuid(), Hour, Hour, default));
        Assert.False(await Store.ReleaseAsync(key, Guid.NewGuid(), default));
        Assert.False(await Store.DeleteAsync(key, default));
        var superseding = await Store.ClaimAsync(key, Next(NewClaim()), default);
        Assert.False(superseding.IsAcquired);
        Assert.Null(superseding.Existing);
        Assert.Null(await Store.ReadAsync(key, default));
    }

    [Fact]
    public async Task A_lapsed_claim_is_held_and_seen_as_abandoned_and_superseded_only_on_purpose()
    {
        var (alive, key) = (NewKey(), NewKey());
        var living = await ClaimedAsync(alive);
        Assert.False((await Store.ClaimAsync(alive, Next(living), default)).IsAcquired);
        var claim = await ClaimedAsync(key, lease: Brief);
        await PassAsync(Longer);

        var held = await Store.ClaimAsync(key, NewClaim(), default);
        Assert.False(held.IsAcquired);
        Assert.True(held.Existing!.IsAbandoned);
        Assert.True((await Store.ReadAsync(key, default))!.IsAbandoned);
        Assert.False((await Store.ClaimAsync(key, Next(claim, supersedes: Guid.NewGuid()), default)).IsAcquired);

        var successor = Next(claim);
        Assert.True((await Store.ClaimAsync(key, successor, default)).IsAcquired);
        var record = await Store.ReadAsync(key, default);
        Assert.Equal(successor.Owner, record!.Owner);
        Assert.Equal(2, record.Attempt);
        Assert.False(record.IsAbandoned);

        // The late owner can do nothing any more.
        Assert.False(await Store.CompleteAsync(key, claim.Owner, new byte[] { 1 }, Hour, default));
        Assert.False(await Store.RenewAsync(key, claim.Owner, Hour, Hour, default));
        Assert.False(await Store.ReleaseAsync(key, claim.Owner, default));
        Assert.True(await Store.CompleteAsync(key, successor.Owner, new byte[] { 2 }, Hour, default));
    }

    [Fact]
    public async Task Of_many_that_supersede_a_lapsed_claim_one_acquires_it()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key, lease: Brief);
        await PassAsync(Longer);
        var results = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(async () => await Store.ClaimAsync(key, Next(claim), default))));
        Assert.Single(results, result => result.IsAcquired);
    }

    [Fact]
    public async Task A_claim_is_taken_over_only_by_the_next_attempt_of_the_same_request()
    {
        var (lapsed, key) = (NewKey(), NewKey());
        var abandoned = await ClaimedAsync(lapsed, lease: Brief);
        await PassAsync(Longer);
        foreach (var late in new[] { Next(abandoned) with { Fingerprint = NewClaim().Fingerprint }, Next(abandoned) with { Attempt = 1 }, Next(abandoned) with { Attempt = 3 } })
        {
            var refused = await Store.ClaimAsync(lapsed, late, default);
            Assert.False(refused.IsAcquired);
            Assert.Equal(abandoned.Owner, refused.Existing!.Owner);
        }

        Assert.True((await Store.ClaimAsync(lapsed, Next(abandoned), default)).IsAcquired);

        // All released claims have the same owner: nobody. Here an operator deletes the record of one, and a different request uses the key.
        var earlier = await ClaimedAsync(key);
        await ReleaseWithStepsAsync(earlier, 1);
        Assert.True(await Store.DeleteAsync(key, default));
        var first = await ClaimedAsync(key);
        await ReleaseWithStepsAsync(first, 1);
        await AssertRefusedAsync(Next(earlier, supersedes: Guid.Empty), 1);

        // The next attempt is released as well, and one that had found the first is late.
        var second = Next(first, supersedes: Guid.Empty);
        Assert.True((await Store.ClaimAsync(key, second, default)).IsAcquired);
        await ReleaseWithStepsAsync(second, 2);
        await AssertRefusedAsync(Next(first, supersedes: Guid.Empty), 2);
        Assert.Equal([2], (await Store.ClaimAsync(key, Next(second, supersedes: Guid.Empty), default)).Steps.ToArray());

        async Task ReleaseWithStepsAsync(IdempotencyClaim claim, byte version)
        {
            Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(version, version), Hour, Hour, default));
            Assert.True(await Store.ReleaseAsync(key, claim.Owner, default));
        }

        async Task AssertRefusedAsync(IdempotencyClaim late, byte version)
        {
            var refused = await Store.ClaimAsync(key, late, default);
            Assert.False(refused.IsAcquired);
            foreach (var record in new[] { refused.Existing!, (await Store.ReadAsync(key, default))! })
            {
                Assert.Equal((Guid.Empty, first.Fingerprint, (int)version), (record.Owner, record.Fingerprint, record.Attempt));
                Assert.Equal([version], record.Payload.ToArray());
            }
        }
    }

    [Fact]
    public async Task A_lapsed_claim_nobody_took_over_is_still_its_owners()
    {
        var key = NewKey();
        var renewed = await ClaimedAsync(key, lease: Brief);
        var released = NewKey();
        var releasedClaim = await ClaimedAsync(released, lease: Brief);
        var completed = NewKey();
        var completedClaim = await ClaimedAsync(completed, lease: Brief);
        await PassAsync(Longer);
        Assert.True(await Store.RenewAsync(key, renewed.Owner, Hour, Hour, default));
        Assert.False((await Store.ReadAsync(key, default))!.IsAbandoned);
        Assert.False((await Store.ClaimAsync(key, Next(renewed), default)).IsAcquired);
        Assert.True(await Store.ReleaseAsync(released, releasedClaim.Owner, default));
        Assert.True(await Store.CompleteAsync(completed, completedClaim.Owner, new byte[] { 1 }, Hour, default));
    }

    [Fact]
    public async Task A_renewed_lease_counts_from_its_renewal()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key, lease: Brief);
        Assert.True(await Store.RenewAsync(key, claim.Owner, Hour, Hour, default));
        await PassAsync(Longer);
        Assert.False((await Store.ReadAsync(key, default))!.IsAbandoned);
    }

    [Fact]
    public async Task A_marked_claim_is_renewed_and_is_never_taken_over()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key, lease: Brief);
        Assert.False((await Store.ReadAsync(key, default))!.EffectsStarted);
        Assert.False(await Store.MarkEffectsStartedAsync(key, Guid.NewGuid(), Hour, Hour, default));
        Assert.False((await Store.ReadAsync(key, default))!.EffectsStarted);
        Assert.True(await Store.MarkEffectsStartedAsync(key, claim.Owner, Hour, Hour, default));
        await PassAsync(Longer);
        var marked = (await Store.ClaimAsync(key, NewClaim(), default)).Existing!;
        Assert.True(marked.EffectsStarted);
        Assert.False(marked.IsAbandoned);
        Assert.True(await Store.RenewAsync(key, claim.Owner, Brief, Hour, default)); // a renewal does not take the mark away
        await PassAsync(Longer);
        var refused = await Store.ClaimAsync(key, Next(claim), default);
        Assert.False(refused.IsAcquired);
        Assert.True(refused.Existing!.EffectsStarted);
        Assert.True(refused.Existing.IsAbandoned);
        Assert.True(await Store.CompleteAsync(key, claim.Owner, new byte[] { 1 }, Hour, default)); // its owner came back
        Assert.False((await Store.ReadAsync(key, default))!.EffectsStarted);
        Assert.False(await Store.MarkEffectsStartedAsync(key, claim.Owner, Hour, Hour, default));
    }

    [Fact]
    public async Task Steps_are_saved_by_the_owner_alone_and_renew_the_claim()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key, lease: Brief);
        Assert.False(await Store.SaveStepsAsync(key, Guid.NewGuid(), Steps(1, 7), Hour, Hour, default));
        Assert.True((await Store.ReadAsync(key, default))!.Payload.IsEmpty);
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(1, 7, 8), Hour, Hour, default));
        await PassAsync(Longer);
        var held = (await Store.ClaimAsync(key, NewClaim(), default)).Existing!;
        foreach (var record in new[] { held, (await Store.ReadAsync(key, default))! })
        {
            Assert.Equal(IdempotencyRecordStatus.InProgress, record.Status);
            Assert.Equal([7, 8], record.Payload.ToArray());
            Assert.False(record.IsAbandoned);
            Assert.False(record.EffectsStarted);
            Assert.Equal(claim.Fingerprint, record.Fingerprint);
        }
    }

    [Fact]
    public async Task Steps_of_an_earlier_version_that_come_late_change_nothing()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(2, 1, 2), Hour, Hour, default));
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(1, 1) with { EffectsStarted = true }, Hour, Hour, default));
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(2, 9), Hour, Hour, default));
        Assert.Equal([1, 2], (await Store.ReadAsync(key, default))!.Payload.ToArray());
        Assert.False((await Store.ReadAsync(key, default))!.EffectsStarted);
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(10, 1, 2, 3), Hour, Hour, default));
        Assert.Equal([1, 2, 3], (await Store.ReadAsync(key, default))!.Payload.ToArray());
    }

    [Fact]
    public async Task Steps_stay_when_an_abandoned_claim_is_taken_over_and_come_with_it()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(3, 1, 2, 3), Brief, Hour, default));
        await PassAsync(Longer);
        var second = Next(claim);
        var taken = await Store.ClaimAsync(key, second, default);
        Assert.True(taken.IsAcquired);
        Assert.Equal([1, 2, 3], taken.Steps.ToArray());
        Assert.Equal([1, 2, 3], (await Store.ReadAsync(key, default))!.Payload.ToArray());
        Assert.False(await Store.SaveStepsAsync(key, claim.Owner, Steps(4, 9), Hour, Hour, default)); // the first owner comes back
        Assert.True(await Store.SaveStepsAsync(key, second.Owner, Steps(3, 9), Hour, Hour, default));
        Assert.Equal([1, 2, 3], (await Store.ReadAsync(key, default))!.Payload.ToArray()); // versions go on over all attempts
        Assert.True(await Store.SaveStepsAsync(key, second.Owner, Steps(4, 4), Hour, Hour, default));
        Assert.Equal([4], (await Store.ReadAsync(key, default))!.Payload.ToArray());
    }

    [Fact]
    public async Task A_claim_without_steps_is_taken_over_with_none()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key, lease: Brief);
        await PassAsync(Longer);
        var taken = await Store.ClaimAsync(key, Next(claim), default);
        Assert.True(taken.IsAcquired);
        Assert.True(taken.Steps.IsEmpty);
    }

    [Fact]
    public async Task A_released_claim_with_steps_is_there_for_the_next_attempt_at_once_and_not_for_its_owner()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(1, 5) with { EffectsStarted = true }, Hour, Hour, default));
        Assert.False(await Store.ReleaseAsync(key, Guid.NewGuid(), default));
        Assert.True(await Store.ReleaseAsync(key, claim.Owner, default));
        var released = (await Store.ClaimAsync(key, NewClaim(), default)).Existing!;
        Assert.True(released.IsAbandoned);
        Assert.False(released.EffectsStarted);
        Assert.Equal(Guid.Empty, released.Owner);
        Assert.Equal(claim.Fingerprint, released.Fingerprint);
        Assert.Equal([5], released.Payload.ToArray());
        // What its owner has sent before, and what arrives now.
        Assert.False(await Store.SaveStepsAsync(key, claim.Owner, Steps(2, 6), Hour, Hour, default));
        Assert.False(await Store.RenewAsync(key, claim.Owner, Hour, Hour, default));
        Assert.False(await Store.CompleteAsync(key, claim.Owner, new byte[] { 1 }, Hour, default));
        Assert.False(await Store.ReleaseAsync(key, claim.Owner, default));
        var next = Next(claim, supersedes: Guid.Empty);
        var taken = await Store.ClaimAsync(key, next, default);
        Assert.True(taken.IsAcquired);
        Assert.Equal([5], taken.Steps.ToArray());
        Assert.False((await Store.ClaimAsync(key, Next(claim, supersedes: Guid.Empty), default)).IsAcquired);
        Assert.True(await Store.CompleteAsync(key, next.Owner, new byte[] { 1 }, Hour, default));
    }

    [Fact]
    public async Task A_released_claim_with_steps_is_gone_when_its_retention_is_over()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(1, 5), Brief / 2, Brief / 2, default));
        await Store.ReleaseAsync(key, claim.Owner, default); // on a slow machine, its retention can be over already
        await PassAsync(Longer);
        Assert.Null(await Store.ReadAsync(key, default));
        Assert.True((await Store.ClaimAsync(key, NewClaim(), default)).IsAcquired);
    }

    [Fact]
    public async Task Steps_mark_a_claim_and_take_its_mark_away()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(1, 1) with { EffectsStarted = true }, Brief, Hour, default));
        Assert.True((await Store.ReadAsync(key, default))!.EffectsStarted);
        await PassAsync(Longer);
        var refused = await Store.ClaimAsync(key, Next(claim), default);
        Assert.False(refused.IsAcquired);
        Assert.True(refused.Existing!.EffectsStarted);
        Assert.Equal([1], refused.Existing.Payload.ToArray());
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(2, 1, 2), Brief, Hour, default)); // its owner came back
        Assert.False((await Store.ReadAsync(key, default))!.EffectsStarted);
        await PassAsync(Longer);
        Assert.Equal([1, 2], (await Store.ClaimAsync(key, Next(claim), default)).Steps.ToArray());
    }

    [Fact]
    public async Task A_marked_claim_with_steps_can_be_given_up_and_keeps_them()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(1, 1), Hour, Hour, default));
        Assert.True(await Store.MarkEffectsStartedAsync(key, claim.Owner, TimeSpan.Zero, Hour, default));
        await PassAsync(Longer);
        var existing = (await Store.ClaimAsync(key, NewClaim(), default)).Existing!;
        Assert.True(existing.IsAbandoned);
        Assert.True(existing.EffectsStarted);
        Assert.Equal([1], existing.Payload.ToArray());
    }

    [Fact]
    public async Task Steps_are_gone_once_the_claim_is_completed()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, Steps(1, 1, 2, 3), Hour, Hour, default));
        Assert.True(await Store.CompleteAsync(key, claim.Owner, new byte[] { 9 }, Hour, default));
        Assert.Equal([9], (await Store.ReadAsync(key, default))!.Payload.ToArray());
        Assert.False(await Store.SaveStepsAsync(key, claim.Owner, Steps(2, 1), Hour, Hour, default));
        Assert.Equal([9], (await Store.ReadAsync(key, default))!.Payload.ToArray());
        Assert.False(await Store.SaveStepsAsync(NewKey(), claim.Owner, Steps(1, 1), Hour, Hour, default));
    }

    [Fact]
    public async Task Steps_are_kept_byte_for_byte_and_may_be_large()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        var data = RandomNumberGenerator.GetBytes(100_000);
        Assert.True(await Store.SaveStepsAsync(key, claim.Owner, new IdempotencySteps { Version = 1, Data = data, EffectsStarted = false }, Hour, Hour, default));
        Assert.Equal(data, (await Store.ReadAsync(key, default))!.Payload.ToArray());
    }

    [Fact]
    public async Task Of_many_that_save_steps_at_once_the_highest_version_stays()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        var saves = Enumerable.Range(1, 16).Select(version => Store.SaveStepsAsync(key, claim.Owner, Steps(version, [.. Enumerable.Repeat((byte)version, version)]), Hour, Hour, default).AsTask());
        Assert.All(await Task.WhenAll(saves), Assert.True);
        Assert.Equal(Enumerable.Repeat((byte)16, 16), (await Store.ReadAsync(key, default))!.Payload.ToArray());
    }

    private static IdempotencySteps Steps(int version, params byte[] data) => new() { Version = version, Data = data, EffectsStarted = false };

    [Fact]
    public async Task A_marked_claim_can_be_given_up_and_stays_as_long_as_it_is_kept()
    {
        var (key, brief) = (NewKey(), NewKey());
        var claim = await ClaimedAsync(key);
        var briefClaim = await ClaimedAsync(brief);
        Assert.True(await Store.MarkEffectsStartedAsync(key, claim.Owner, TimeSpan.Zero, Hour, default));
        Assert.True(await Store.MarkEffectsStartedAsync(brief, briefClaim.Owner, TimeSpan.Zero, Brief, default));
        await PassAsync(Longer); // without a clock of its own, a store allows for servers' clocks that differ
        var given = (await Store.ReadAsync(key, default))!;
        Assert.True(given.IsAbandoned);
        Assert.True(given.EffectsStarted);
        Assert.Null(await Store.ReadAsync(brief, default));
        var next = await ClaimedAsync(brief);
        Assert.False((await Store.ReadAsync(brief, default))!.EffectsStarted);
        Assert.Equal(next.Owner, (await Store.ReadAsync(brief, default))!.Owner);
    }

    [Fact]
    public async Task A_mark_does_not_outlive_its_claim()
    {
        var key = NewKey();
        var claim = await ClaimedAsync(key);
        Assert.True(await Store.MarkEffectsStartedAsync(key, claim.Owner, Hour, Hour, default));
        Assert.True(await Store.ReleaseAsync(key, claim.Owner, default));
        await ClaimedAsync(key);
        Assert.False((await Store.ReadAsync(key, default))!.EffectsStarted);
    }

    [Fact]
    public async Task A_completed_record_is_gone_when_its_retention_is_over()
    {
        var key = NewKey();
        await CompletedAsync(key, new byte[] { 1 }, retention: Brief);
        await PassAsync(Longer);
        Assert.Null(await Store.ReadAsync(key, default));
        Assert.False(await Store.DeleteAsync(key, default));
        await ClaimedAsync(key);
    }

    [Fact]
    public async Task Retention_never_takes_a_live_claim_and_keeps_a_lapsed_one()
    {
        var (live, kept, over) = (NewKey(), NewKey(), NewKey());
        var liveClaim = await ClaimedAsync(live, lease: Hour, retention: Brief);
        var keptClaim = await ClaimedAsync(kept, lease: Brief, retention: Hour);
        await ClaimedAsync(over, lease: Brief, retention: Brief);
        await PassAsync(2 * Longer);

        var held = await Store.ClaimAsync(live, NewClaim(), default);
        Assert.False(held.IsAcquired);
        Assert.False(held.Existing!.IsAbandoned);
        Assert.Equal(liveClaim.Owner, held.Existing.Owner);
        var lapsed = await Store.ReadAsync(kept, default);
        Assert.True(lapsed!.IsAbandoned);
        Assert.Equal(keptClaim.Owner, lapsed.Owner);
        Assert.Null(await Store.ReadAsync(over, default));
        await ClaimedAsync(over);
    }

    [Fact]
    public async Task An_operator_can_delete_a_record_in_any_state()
    {
        var running = NewKey();
        var claim = await ClaimedAsync(running);
        Assert.True(await Store.DeleteAsync(running, default));
        Assert.False(await Store.CompleteAsync(running, claim.Owner, new byte[] { 1 }, Hour, default));
        await ClaimedAsync(running);

        var completed = NewKey();
        await CompletedAsync(completed, new byte[] { 1 });
        Assert.True(await Store.DeleteAsync(completed, default));
        Assert.Null(await Store.ReadAsync(completed, default));
    }

    [Fact]
    public async Task Keys_do_not_touch_each_other()
    {
        var keys = Enumerable.Range(0, 200).Select(_ => NewKey()).ToList();
        await Task.WhenAll(keys.Select((key, i) => CompletedAsync(key, BitConverter.GetBytes(i))));
        for (var i = 0; i < keys.Count; i++)
        {
            Assert.Equal(BitConverter.GetBytes(i), (await Store.ReadAsync(keys[i], default))!.Payload.ToArray());
        }
    }

    [Fact]
    public async Task A_cancelled_token_is_heeded()
    {
        var key = NewKey();
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Store.ClaimAsync(key, NewClaim(), cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Store.ReadAsync(key, cancelled));
        Assert.Null(await Store.ReadAsync(key, default));
    }
}
