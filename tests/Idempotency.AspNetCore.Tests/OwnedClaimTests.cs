namespace Idempotency.AspNetCore.Tests;

/// <summary>An owned claim has exactly one end, whoever asks for it first; and none is forgotten.</summary>
public sealed class OwnedClaimTests
{
    private static readonly byte[] Payload = [1, 2, 3];

    private static readonly ClaimRequest Request = new(new StoreKey(Sha256Hash.Of("a key"u8)), new Fingerprint(Sha256Hash.Of("a request"u8)), new IdempotencyPolicy());

    public enum ClaimEnd
    {
        Completed,
        Released,
        LeftToLease,
        Lost,
    }

    public static TheoryData<ClaimEnd, ClaimEnd> AllPairs => new(Enum.GetValues<ClaimEnd>().SelectMany(first => Enum.GetValues<ClaimEnd>().Select(second => (first, second))));

    private static async Task<OwnedClaim> ClaimAsync(Functions process)
    {
        var decision = await process.Services.GetRequiredService<Claims>().ClaimAsync(Request, null, default, default);
        Assert.Equal(ClaimOutcome.Acquired, decision.Outcome);
        return decision.Claim!;
    }

    private static async Task<IdempotencyRecord?> RecordAsync(Functions process) => await process.Store.Inner.ReadAsync(Request.Key, default);

    /// <summary>Lets several leases pass: a claim that is still kept would be renewed.</summary>
    private static async Task AssertNotRenewedAsync(Functions process)
    {
        var renewed = process.Store.Calls("renew");
        for (var third = 0; third < 6; third++)
        {
            process.Time.Advance(Request.Policy.ClaimDuration / 3);
            await Task.Yield();
        }

        Assert.Equal(renewed, process.Store.Calls("renew"));
    }

    private static bool TryEnd(OwnedClaim claim, ClaimEnd end)
    {
        switch (end)
        {
            case ClaimEnd.Completed:
                var was = claim.IsCompleted;
                claim.EndCompleted();
                return !was && claim.IsCompleted;
            case ClaimEnd.Released:
                return claim.EndReleased();
            case ClaimEnd.LeftToLease:
                claim.EndLeftToLease();
                return false; // it shows in what comes after it only
            default:
                return claim.EndLost();
        }
    }

    [Theory]
    [MemberData(nameof(AllPairs))]
    public async Task The_first_end_counts_and_a_second_changes_nothing(ClaimEnd first, ClaimEnd second)
    {
        await using var process = new Functions();
        var claim = await ClaimAsync(process);
        TryEnd(claim, first);
        Assert.False(TryEnd(claim, second));
        Assert.Equal(first == ClaimEnd.Completed, claim.IsCompleted);
        Assert.Equal(first == ClaimEnd.Lost, claim.Lost.IsCancellationRequested);
        await claim.DisposeAsync();
        Assert.Equal(0, process.Store.Calls("release"));
        await AssertNotRenewedAsync(process);
    }

    [Fact]
    public async Task Of_ends_that_race_one_wins()
    {
        await using var process = new Functions();
        for (var round = 0; round < 200; round++)
        {
            var claim = await ClaimAsync(process);
            var isLost = claim.Lost;
            using var start = new Barrier(3);
            var won = 0;
            void Race(ClaimEnd end)
            {
                start.SignalAndWait();
                if (TryEnd(claim, end))
                {
                    Interlocked.Increment(ref won);
                }
            }

            await Task.WhenAll(
                Task.Factory.StartNew(() => Race(ClaimEnd.Released), TaskCreationOptions.LongRunning),
                Task.Factory.StartNew(() => Race(ClaimEnd.Completed), TaskCreationOptions.LongRunning),
                Task.Factory.StartNew(() => Race(ClaimEnd.Lost), TaskCreationOptions.LongRunning));
            Assert.Equal(1, won);
            Assert.False(claim.IsCompleted && isLost.IsCancellationRequested);
            await process.Store.Inner.DeleteAsync(Request.Key, default);
        }
    }

    [Fact]
    public async Task Disposed_without_an_end_it_is_released()
    {
        await using var process = new Functions();
        var claim = await ClaimAsync(process);
        await claim.DisposeAsync();
        Assert.Null(await RecordAsync(process));
        await claim.DisposeAsync();
        Assert.Equal(1, process.Store.Calls("release"));
        await AssertNotRenewedAsync(process);
        await using var next = await ClaimAsync(process);
        Assert.Equal(1, next.Attempt);
    }

    [Fact]
    public async Task Disposed_without_an_end_after_effects_had_started_its_outcome_is_unknown()
    {
        await using var process = new Functions();
        await using (var claim = await ClaimAsync(process))
        {
            await claim.MarkEffectsStartedAsync(default);
        }

        var record = await RecordAsync(process);
        Assert.True(record is { IsAbandoned: true, EffectsStarted: true });
        Assert.Equal(ClaimOutcome.OutcomeUnknown, (await process.Services.GetRequiredService<Claims>().ClaimAsync(Request, null, default, default)).Outcome);
        await AssertNotRenewedAsync(process);
    }

    [Fact]
    public async Task Disposed_with_a_response_that_could_not_be_recorded_it_is_left_to_its_lease()
    {
        await using var process = new Functions();
        process.Store.Before = operation => operation == "complete" ? throw new IOException("away") : Task.CompletedTask;
        await using (var claim = await ClaimAsync(process))
        {
            var completing = claim.CompleteAsync(Payload).AsTask();
            await process.Time.PassUntilDoneAsync(completing, "done");
            Assert.Equal(CompletionOutcome.NotRecorded, (await completing).Outcome);
        }

        Assert.Equal(0, process.Store.Calls("release"));
        Assert.Equal(IdempotencyRecordStatus.InProgress, (await RecordAsync(process))!.Status);
        await AssertNotRenewedAsync(process);
        Assert.True((await RecordAsync(process))!.IsAbandoned);
    }

    [Fact]
    public async Task Until_it_is_disposed_a_claim_whose_response_could_not_be_recorded_is_renewed()
    {
        await using var process = new Functions();
        process.Store.Before = operation => operation == "complete" ? throw new IOException("away") : Task.CompletedTask;
        await using var claim = await ClaimAsync(process);
        var completing = claim.CompleteAsync(Payload).AsTask();
        await process.Time.PassUntilDoneAsync(completing, "done");
        var renewed = process.Store.Calls("renew");
        process.Time.Advance(Request.Policy.ClaimDuration / 3);
        await Eventually.TrueAsync(() => process.Store.Calls("renew") > renewed, "a renewal"); // its handler may still run
        process.Store.Before = null;
        Assert.Equal(CompletionOutcome.Recorded, (await claim.CompleteAsync(Payload)).Outcome);
    }

    [Fact]
    public async Task Disposed_after_its_completion_nothing_is_left_to_do()
    {
        await using var process = new Functions();
        var claim = await ClaimAsync(process);
        Assert.Equal(CompletionOutcome.Recorded, (await claim.CompleteAsync(Payload)).Outcome);
        var calls = process.Store.AllCalls;
        await claim.DisposeAsync();
        Assert.Equal(calls, process.Store.AllCalls);
        Assert.Equal(Payload, (await RecordAsync(process))!.Payload.ToArray());
        await AssertNotRenewedAsync(process);
    }

    [Fact]
    public async Task Completed_again_it_stays_as_it_was_recorded_first()
    {
        await using var process = new Functions();
        await using var claim = await ClaimAsync(process);
        await claim.CompleteAsync(Payload);
        Assert.Equal(CompletionOutcome.Recorded, (await claim.CompleteAsync(new byte[] { 9 })).Outcome);
        Assert.Equal(1, process.Store.Calls("complete"));
        Assert.Equal(Payload, (await RecordAsync(process))!.Payload.ToArray());
        await claim.MarkEffectsStartedAsync(default); // nothing runs again anyway
        Assert.Equal(0, process.Store.Calls("mark"));
    }

    [Fact]
    public async Task A_lost_claim_tells_its_run_and_leaves_the_successor_alone()
    {
        await using var process = new Functions();
        await using (var claim = await ClaimAsync(process))
        {
            var isLost = claim.Lost;
            await process.Store.Inner.DeleteAsync(Request.Key, default); // an operator's
            var successor = Request.FirstAttempt();
            await process.Store.Inner.ClaimAsync(Request.Key, successor, default);
            process.Time.Advance(Request.Policy.ClaimDuration / 3);
            await Eventually.TrueAsync(() => isLost.IsCancellationRequested, "the loss");
            await claim.DisposeAsync();
            Assert.Equal(successor.Owner, (await RecordAsync(process))!.Owner);
            Assert.Equal((0, 1), (process.Store.Calls("release"), process.Logs.Count("ClaimLost")));
        }
    }

    [Fact]
    public async Task A_loss_that_turns_out_when_it_is_completed_is_reported_once()
    {
        await using var process = new Functions();
        await using var claim = await ClaimAsync(process);
        await process.Store.Inner.DeleteAsync(Request.Key, default);
        await process.Store.Inner.ClaimAsync(Request.Key, Request.FirstAttempt(), default);
        foreach (var _ in new[] { 1, 2 })
        {
            Assert.Equal(CompletionOutcome.Superseded, (await claim.CompleteAsync(Payload)).Outcome);
        }

        Assert.True(claim.Lost.IsCancellationRequested);
        Assert.False(claim.IsCompleted);
        Assert.Equal(1, process.Logs.Count("ClaimLost"));
    }

    [Fact]
    public async Task Its_token_fires_for_those_who_ask_for_it_after_the_loss_too()
    {
        await using var process = new Functions();
        await using var claim = await ClaimAsync(process);
        Assert.True(claim.EndLost());
        Assert.True(claim.Lost.IsCancellationRequested);
    }
}
