using System.Diagnostics;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>A store that dies, hangs, is slow, or whose replies get lost.</summary>
public abstract class StoreFaultTests(Cluster cluster) : ClusterTests(cluster)
{
    // The library's own budget for a store that does not answer is 10 s. The rest is for a slow machine; without the budget the client would wait for 60 s and give up.
    private static readonly TimeSpan Budget = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan LeaseOfCareful = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan LongFailover = TimeSpan.FromSeconds(20);

    public enum Outage
    {
        Dead,
        Hung,
    }

    [Theory]
    [InlineData(Outage.Dead)]
    [InlineData(Outage.Hung)]
    public async Task Runs_nothing_while_the_store_is_away_and_works_again_when_it_is_back(Outage outage)
    {
        var key = Cluster.NewKey();
        var asked = Stopwatch.StartNew();

        Begin(outage);
        var answer = await A.PostAsync("patient", key);

        Assert.Equal((503, Answer.StoreUnavailable), (answer.Status, answer.Code));
        Assert.InRange(asked.Elapsed, TimeSpan.Zero, Budget);
        Assert.Empty(Cluster.Effects.Of(key));
        await EndAsync(outage);
        var retried = await AskUntilSuccessAsync(A, "patient", key);
        Assert.Single(Cluster.Effects.Of(key));
        await AllReplayAsync("patient", key, retried);
    }

    [Theory]
    [InlineData(Outage.Dead)]
    [InlineData(Outage.Hung)]
    public async Task A_claim_that_found_no_store_is_not_left_behind_as_an_attempt_with_an_unknown_outcome(Outage outage)
    {
        // Several: in which order a store that hung goes through what was sent to it meanwhile is chance.
        var keys = Enumerable.Range(0, 10).Select(_ => Cluster.NewKey()).ToList();

        Begin(outage);
        var refused = await Task.WhenAll(keys.Select(key => A.PostAsync("careful", key)));
        Assert.All(refused, answer => Assert.Equal(Answer.StoreUnavailable, answer.Code));
        await EndAsync(outage);

        // They were told "nothing was carried out, send it again": so that must help. A claim that reaches a slow store after its own lease looks abandoned until its owner, who hears
        // of it, releases it. If it were left behind it would look so for its retention, and this would end at the deadline.
        var retried = await Task.WhenAll(keys.Select(key => Eventually.GetAsync(() => A.PostAsync("careful", key), told => told.IsSuccess)));
        Assert.All(retried, answer => Assert.Equal((200, null), (answer.Status, answer.Code)));
        Assert.All(keys, key => Assert.Single(Cluster.Effects.Of(key)));
    }

    [Theory]
    [InlineData(Outage.Dead)]
    [InlineData(Outage.Hung)]
    public async Task Delivers_the_answer_marked_when_the_store_stays_away_until_the_lease_ends(Outage outage)
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("careful", key, new Ask(gate));
        var effect = await RunsAsync(key);

        Begin(outage);
        gate.Open();
        var waited = Stopwatch.StartNew();
        var answer = await first;

        Assert.InRange(waited.Elapsed, TimeSpan.Zero, LeaseOfCareful + Budget);
        Assert.Equal((200, effect.Id, true), (answer.Status, answer.Effect.Id, answer.IsUnstored));

        // Nobody runs it again. (A write that hung there may have gone through since.)
        await EndAsync(outage);
        var elsewhere = await Eventually.GetAsync(() => B.PostAsync("careful", key), told => told.Code is not (Answer.StoreUnavailable or Answer.InProgress));
        Assert.True(elsewhere.Code == Answer.OutcomeUnknown || elsewhere.Body == answer.Body, $"{elsewhere}");
        Assert.Single(Cluster.Effects.Of(key));
    }

    [Fact]
    public async Task Records_the_answer_when_the_store_is_away_for_longer_than_one_call_may_take()
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("patient", key, new Ask(gate));
        await RunsAsync(key);

        Cluster.KillStore();
        gate.Open();
        await Task.WhenAny(first, Task.Delay(LongFailover)); // about what a Redis Cluster with its own defaults needs, and more than any one call may take
        Assert.False(first.IsCompleted);
        await Cluster.StartStoreAsync();

        var answer = await first;
        Assert.Equal((200, false), (answer.Status, answer.IsUnstored));
        await AllReplayAsync("patient", key, answer);
        Assert.Single(Cluster.Effects.Of(key));
    }

    [Theory]
    [InlineData(Outage.Dead)]
    [InlineData(Outage.Hung)]
    public async Task Records_the_answer_when_the_store_comes_back_in_time(Outage outage)
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("patient", key, new Ask(gate));
        await RunsAsync(key);

        Begin(outage);
        gate.Open();
        await EndAsync(outage);

        var answer = await first;
        Assert.Equal((200, false), (answer.Status, answer.IsUnstored));
        Assert.Single(Cluster.Effects.Of(key));
        foreach (var server in Cluster.Servers)
        {
            Assert.Equal(answer.Body, (await AskUntilSuccessAsync(server, "patient", key)).Body);
        }
    }

    [Fact]
    public async Task Runs_once_on_a_slow_store()
    {
        var key = Cluster.NewKey();

        foreach (var server in Cluster.Servers)
        {
            server.ToStore.DelayReplies(TimeSpan.FromMilliseconds(300));
        }

        await BurstRunsOnceAsync(key, () => Task.CompletedTask);
    }

    [Fact]
    public async Task Runs_once_on_a_store_that_hangs_for_a_moment()
    {
        var key = Cluster.NewKey();
        Cluster.FreezeStore();
        await BurstRunsOnceAsync(key, () =>
        {
            Cluster.ThawStore();
            return Task.CompletedTask;
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Runs_once_when_the_reply_to_the_claim_is_lost(bool halfway)
    {
        var key = Cluster.NewKey();

        A.ToStore.CutReplies(1, halfway);
        var answer = await A.PostAsync("patient", key);

        // Either it is found out whose the claim is, or it is given back: then a retry runs.
        Assert.True(answer.IsSuccess || answer.Code == Answer.StoreUnavailable, $"{answer}");
        Assert.Equal(0, A.ToStore.RepliesToCut);
        var retried = await AskUntilSuccessAsync(A, "patient", key);
        Assert.Single(Cluster.Effects.Of(key));
        await AllReplayAsync("patient", key, retried);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Loses_no_answer_when_the_reply_to_the_completion_is_lost(bool halfway)
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("patient", key, new Ask(gate));
        await RunsAsync(key);

        A.ToStore.CutReplies(1, halfway);
        gate.Open();
        var answer = await first;

        Assert.Equal((200, false), (answer.Status, answer.IsUnstored));
        Assert.Equal(0, A.ToStore.RepliesToCut);
        await AllReplayAsync("patient", key, answer);
        Assert.Single(Cluster.Effects.Of(key));
    }

    [Fact]
    public async Task Loses_no_answer_when_the_connection_was_cut_while_the_handler_ran()
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("patient", key, new Ask(gate));
        await RunsAsync(key);

        A.ToStore.CutConnections();
        gate.Open();
        var answer = await first;

        Assert.Equal((200, false), (answer.Status, answer.IsUnstored));
        await AllReplayAsync("patient", key, answer);
        Assert.Single(Cluster.Effects.Of(key));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Loses_no_step_when_the_reply_to_its_recording_is_lost(bool halfway)
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("patient-step", key, new Ask(gate, Fail: true));
        var effect = await RunsAsync(key);

        A.ToStore.CutReplies(1, halfway);
        gate.Open();
        var answer = await first;

        Assert.Equal(500, answer.Status);
        Assert.Equal(0, A.ToStore.RepliesToCut);
        var retried = await AskUntilSuccessAsync(B, "patient-step", key);
        Assert.Equal(effect.Id, retried.Effect.Id);
        Assert.Single(Cluster.Effects.Of(key));
        await AllReplayAsync("patient-step", key, retried);
    }

    [Fact]
    public async Task Records_a_step_when_the_store_can_be_reached_again_in_time()
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("patient-step", key, new Ask(gate, Fail: true));
        var effect = await RunsAsync(key);

        A.ToStore.Refuse(true);
        gate.Open();
        A.ToStore.Refuse(false);

        Assert.Equal(500, (await first).Status); // by the handler, after the step; without its record it would be 503
        var retried = await AskUntilSuccessAsync(B, "patient-step", key);
        Assert.Equal(effect.Id, retried.Effect.Id);
        Assert.Single(Cluster.Effects.Of(key));
    }

    [Fact]
    public async Task Ends_the_run_when_a_step_cannot_be_recorded_and_frees_the_key_when_the_store_is_back()
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("patient-step", key, new Ask(gate));
        var effect = await RunsAsync(key);

        A.ToStore.Refuse(true);
        gate.Open();
        var answer = await first;

        Assert.Equal((503, Answer.StoreUnavailable), (answer.Status, answer.Code));
        A.ToStore.Refuse(false);
        var retried = await AskUntilSuccessAsync(B, "patient-step", key);

        // The step ran again, unless a client of the store that tries by itself has recorded it after all.
        var effects = Cluster.Effects.Of(key).Select(one => one.Id).ToList();
        Assert.Equal(effect.Id, effects[0]);
        Assert.InRange(effects.Count, 1, 2);
        Assert.Equal(effects[^1], retried.Effect.Id);
        await AllReplayAsync("patient-step", key, retried);
    }

    [Fact]
    public async Task A_step_whose_start_found_no_store_does_not_leave_an_unknown_outcome_behind()
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("careful-step", key, new Ask(gate));
        var before = await RunsAsync(key);

        A.ToStore.Refuse(true);
        gate.Open();
        var answer = await first;

        Assert.Equal((503, Answer.StoreUnavailable), (answer.Status, answer.Code));
        A.ToStore.Refuse(false);

        // The step has not run: so the next attempt may run it.
        var retried = await Eventually.GetAsync(() => B.PostAsync("careful-step", key), told => told.Code is not (Answer.StoreUnavailable or Answer.InProgress));
        Assert.True(retried.Status == 200, $"{retried}");
        Assert.NotEqual(before.Id, retried.Effect.Id);
        await AllReplayAsync("careful-step", key, retried);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_step_whose_start_was_recorded_while_the_reply_was_lost_leaves_no_unknown_outcome_behind(bool halfway)
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var first = A.PostAsync("careful-step", key, new Ask(gate));
        await RunsAsync(key);

        A.ToStore.CutReplies(1, halfway);
        gate.Open();
        var answer = await first;

        Assert.True(answer.IsSuccess || answer.Code == Answer.StoreUnavailable, $"{answer}");
        Assert.Equal(0, A.ToStore.RepliesToCut);
        var retried = await Eventually.GetAsync(() => B.PostAsync("careful-step", key), told => told.Code is not (Answer.StoreUnavailable or Answer.InProgress));
        Assert.Equal(200, retried.Status);
        await AllReplayAsync("careful-step", key, retried);
    }

    private void Begin(Outage outage)
    {
        if (outage == Outage.Dead)
        {
            Cluster.KillStore();
        }
        else
        {
            Cluster.FreezeStore();
        }
    }

    private async Task EndAsync(Outage outage)
    {
        if (outage == Outage.Dead)
        {
            await Cluster.StartStoreAsync();
        }
        else
        {
            Cluster.ThawStore();
        }
    }

    private async Task BurstRunsOnceAsync(string key, Func<Task> meanwhile)
    {
        var burst = Cluster.Servers.SelectMany(server => Enumerable.Range(0, 10).Select(_ => server.PostAsync("patient", key))).ToList();
        await meanwhile();
        var answers = await Task.WhenAll(burst);

        Assert.All(answers, answer => Assert.True(answer.IsSuccess || answer.Code is Answer.InProgress or Answer.StoreUnavailable, $"{answer}"));
        var decided = await AskUntilSuccessAsync(A, "patient", key);
        Assert.All(answers.Where(answer => answer.IsSuccess), answer => Assert.Equal(decided.Body, answer.Body));
        Assert.Single(Cluster.Effects.Of(key));
        await AllReplayAsync("patient", key, decided);
    }

    private static Task<Answer> AskUntilSuccessAsync(Server server, string endpoint, string key) =>
        Eventually.GetAsync(() => server.PostAsync(endpoint, key), answer => answer.IsSuccess);
}

[Collection("Redis")]
public sealed class RedisStoreFaultTests(RedisCluster cluster) : StoreFaultTests(cluster);

[Collection("DynamoDB")]
public sealed class DynamoDBStoreFaultTests(DynamoDBCluster cluster) : StoreFaultTests(cluster)
{
    // Redis is sent everything over one connection: there nothing overtakes.
    [Fact]
    public async Task A_claim_that_reaches_the_store_late_is_not_left_behind_as_an_attempt_with_an_unknown_outcome()
    {
        var key = Cluster.NewKey();

        A.ToStore.HoldRequests();
        var before = A.ToStore.Requests;
        Assert.Equal(Answer.StoreUnavailable, (await A.PostAsync("careful", key)).Code);

        // What gives the key back overtakes it on a connection of its own.
        await Eventually.TrueAsync(() => A.ToStore.Requests > before, "a request on another connection");
        A.ToStore.PassRequests();

        // The claim may land after its own lease, and is released when its owner hears of it: a moment in which it looks abandoned. If it were left
        // behind it would look so for its retention, and this would end at the deadline.
        var retried = await Eventually.GetAsync(() => B.PostAsync("careful", key), told => told.Code is null);
        Assert.Equal(200, retried.Status);
        Assert.Single(Cluster.Effects.Of(key));
    }
}
