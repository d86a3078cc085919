namespace Idempotency.AspNetCore.Tests;

/// <summary>The rules of a claim, one test a row and in their order: what follows from a store's reply. No store is needed.</summary>
public sealed class ClaimTableTests
{
    private static readonly Fingerprint Same = new(Sha256Hash.Of("the request"u8));
    private static readonly Fingerprint Different = new(Sha256Hash.Of("another request"u8));
    private static readonly Guid Other = Guid.NewGuid();

    private static readonly IdempotencyClaim Fresh = new()
    {
        Owner = Guid.NewGuid(),
        Fingerprint = Same,
        Attempt = 1,
        Lease = TimeSpan.FromMinutes(1),
        Retention = TimeSpan.FromHours(24),
    };

    private static readonly IdempotencyRecord Running = new()
    {
        Status = IdempotencyRecordStatus.InProgress,
        Owner = Other,
        Attempt = 1,
        Fingerprint = Same,
        LeaseRemaining = TimeSpan.FromSeconds(30),
    };

    private static readonly IdempotencyRecord Abandoned = Running with { LeaseRemaining = TimeSpan.Zero };
    private static readonly IdempotencyRecord Marked = Abandoned with { EffectsStarted = true };
    private static readonly IdempotencyRecord Completed = Running with { Status = IdempotencyRecordStatus.Completed, LeaseRemaining = TimeSpan.Zero };

    private static readonly IdempotencyPolicy[] Policies =
    [
        .. from whenInProgress in Enum.GetValues<InProgressBehavior>()
           from whenAbandoned in Enum.GetValues<AbandonedBehavior>()
           select new IdempotencyPolicy { WhenInProgress = whenInProgress, WhenAbandoned = whenAbandoned },
    ];

    private static readonly IdempotencyClaim[] Claims = [Fresh, Fresh with { Supersedes = Other, Attempt = 2 }, Fresh with { Supersedes = Guid.NewGuid(), Attempt = 2 }];

    /// <summary>Every state in which a record can be.</summary>
    private static readonly IdempotencyRecord[] Records = [Running, Running with { EffectsStarted = true }, Abandoned, Marked, Completed];

    private static ClaimAction Next(IdempotencyRecord? existing, IdempotencyPolicy? policy = null, IdempotencyClaim? claim = null) =>
        ClaimTable.Next(ClaimResult.Held(existing), claim ?? Fresh, policy ?? new IdempotencyPolicy());

    [Fact]
    public void Rule_1_whoever_acquires_the_key_runs() => Assert.All(Policies, policy => Assert.All(Claims, claim =>
        Assert.Equal(ClaimAction.Run, ClaimTable.Next(ClaimResult.Acquired, claim, policy))));

    [Fact]
    public void Rule_2_when_the_record_in_the_way_is_gone_the_store_is_asked_again() => Assert.All(Policies, policy => Assert.All(Claims, claim =>
        Assert.Equal(ClaimAction.AskAgain, Next(null, policy, claim))));

    [Fact]
    public void Rule_3_a_different_request_is_rejected_whatever_the_state_of_the_record() => Assert.All(Policies, policy => Assert.All(Claims, claim => Assert.All(Records, record =>
        Assert.Equal(ClaimAction.RejectReused, Next(record with { Fingerprint = Different }, policy, claim)))));

    [Fact]
    public void Rule_4_a_completed_request_is_replayed() => Assert.All(Policies, policy => Assert.All(Claims, claim =>
        Assert.Equal(ClaimAction.Replay, Next(Completed, policy, claim))));

    [Fact]
    public void Rule_5_what_was_abandoned_after_its_effects_had_started_is_rejected_whatever_the_policy_says() => Assert.All(Policies, policy => Assert.All(Claims, claim =>
        Assert.Equal(ClaimAction.RejectOutcomeUnknown, Next(Marked, policy, claim))));

    [Fact]
    public void Rule_6_an_abandoned_request_is_taken_over_by_default() => Assert.Equal(ClaimAction.TakeOver, Next(Abandoned));

    [Fact]
    public void Rule_6_an_abandoned_request_is_rejected_where_the_policy_refuses_to_take_over() =>
        Assert.Equal(ClaimAction.RejectOutcomeUnknown, Next(Abandoned, new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse }));

    [Fact]
    public void Rule_6_a_lease_that_ends_now_has_ended() => Assert.Equal(
        [ClaimAction.RejectInProgress, ClaimAction.TakeOver, ClaimAction.TakeOver],
        new[] { 1L, 0, -1 }.Select(ticks => Next(Running with { LeaseRemaining = TimeSpan.FromTicks(ticks) })));

    [Theory]
    [InlineData(InProgressBehavior.Reject, ClaimAction.RejectInProgress)]
    [InlineData(InProgressBehavior.Wait, ClaimAction.Wait)]
    public void Rule_6_a_claim_that_the_store_has_just_refused_to_hand_over_counts_as_running(object whenInProgress, object action) =>
        Assert.Equal(action, Next(Abandoned, new IdempotencyPolicy { WhenInProgress = (InProgressBehavior)whenInProgress }, Fresh with { Supersedes = Other, Attempt = 2 }));

    [Fact]
    public void Rule_6_an_abandoned_request_whose_owner_has_changed_is_taken_over_too() =>
        Assert.Equal(ClaimAction.TakeOver, Next(Abandoned, claim: Fresh with { Supersedes = Guid.NewGuid(), Attempt = 2 }));

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Rule_6_a_released_request_with_a_different_attempt_than_expected_is_taken_over_too(int attempt) =>
        Assert.Equal(ClaimAction.TakeOver, Next(Abandoned with { Owner = Guid.Empty, Attempt = 2 }, claim: Fresh with { Supersedes = Guid.Empty, Attempt = attempt }));

    [Fact]
    public void Rule_7_a_running_request_is_rejected_by_default() => Assert.All(Claims, claim =>
    {
        Assert.Equal(ClaimAction.RejectInProgress, Next(Running, claim: claim));
        Assert.Equal(ClaimAction.RejectInProgress, Next(Running with { EffectsStarted = true }, claim: claim));
    });

    [Fact]
    public void Rule_7_a_running_request_is_waited_for_where_the_policy_says_so() => Assert.All(Claims, claim =>
    {
        var policy = new IdempotencyPolicy { WhenInProgress = InProgressBehavior.Wait };
        Assert.Equal(ClaimAction.Wait, Next(Running, policy, claim));
        Assert.Equal(ClaimAction.Wait, Next(Running with { EffectsStarted = true }, policy, claim));
    });

    [Fact]
    public void Nothing_runs_again_but_what_was_abandoned_before_its_effects_where_the_policy_allows_it() =>
        Assert.All(Policies, policy => Assert.All(Claims, claim => Assert.All(Records.Concat(Records.Select(record => record with { Fingerprint = Different })), record =>
        {
            var action = Next(record, policy, claim);
            Assert.NotEqual(ClaimAction.Run, action);
            if (action == ClaimAction.TakeOver)
            {
                Assert.Equal(Abandoned, record);
                Assert.Equal(AbandonedBehavior.TakeOver, policy.WhenAbandoned);
            }
        })));
}
