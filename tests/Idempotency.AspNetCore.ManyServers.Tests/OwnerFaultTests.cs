namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Servers that race, die, or stop and come back.</summary>
public abstract class OwnerFaultTests(Cluster cluster) : ClusterTests(cluster)
{
    [Theory]
    [InlineData("patient")]
    [InlineData("patient-wait")]
    public async Task Runs_once_for_a_burst_over_all_servers(string endpoint)
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();

        var burst = Cluster.Servers.SelectMany(server => Enumerable.Range(0, 20).Select(_ => server.PostAsync(endpoint, key, new Ask(gate)))).ToList();
        await RunsAsync(key);
        gate.Open();
        var answers = await Task.WhenAll(burst);

        Assert.Single(Cluster.Effects.Of(key));
        Assert.All(answers, answer => Assert.True(answer.IsSuccess || (endpoint == "patient" && answer.Code == Answer.InProgress), $"{answer}"));
        var first = Assert.Single(answers, answer => answer.IsSuccess && !answer.IsReplay);
        Assert.All(answers.Where(answer => answer.IsSuccess), answer => Assert.Equal(first.Body, answer.Body));
        await AllReplayAsync(endpoint, key, first);
    }

    [Fact]
    public async Task Keeps_a_claim_for_as_long_as_its_handler_lives()
    {
        var key = Cluster.NewKey();

        var slow = A.PostAsync("renewed", key, new Ask(Delay: TimeSpan.FromSeconds(9))); // two leases and more
        await RunsAsync(key);
        var others = await Eventually.GetAsync(() => B.PostAsync("renewed", key), answer => answer.Code != Answer.InProgress);

        Assert.Equal(await slow with { IsReplay = true }, others);
        Assert.Single(Cluster.Effects.Of(key));
    }

    [Fact]
    public async Task Takes_over_from_a_killed_owner_when_told_to()
    {
        var key = Cluster.NewKey();
        var lost = A.PostAsync("takeover", key, new Ask(Cluster.NewGate()));
        await RunsAsync(key);

        A.Kill();
        await Assert.ThrowsAsync<HttpRequestException>(() => lost);
        var answer = await AskUntilDecidedAsync(B, "takeover", key);

        Assert.Equal(200, answer.Status);
        Assert.Equal(2, answer.Effect.Attempt);
        Assert.Equal([1, 2], Cluster.Effects.Of(key).Select(effect => effect.Attempt));
        await A.StartAsync();
        await AllReplayAsync("takeover", key, answer);
        Assert.Equal(2, Cluster.Effects.Of(key).Count);
    }

    [Fact]
    public async Task A_duplicate_that_waits_takes_over_when_the_owner_is_killed()
    {
        var key = Cluster.NewKey();
        var lost = A.PostAsync("renewed-wait", key, new Ask(Cluster.NewGate()));
        await RunsAsync(key);
        Server[] others = [B, C];
        var waiting = others.SelectMany(server => Enumerable.Range(0, 5).Select(_ => server.PostAsync("renewed-wait", key))).ToList();

        A.Kill();
        await Assert.ThrowsAsync<HttpRequestException>(() => lost);
        var answers = await Task.WhenAll(waiting);

        Assert.Equal([1, 2], Cluster.Effects.Of(key).Select(effect => effect.Attempt));
        Assert.All(answers, answer => Assert.Equal(Cluster.Effects.Of(key)[1], answer.Effect));
    }

    [Fact]
    public async Task A_client_that_hung_up_gets_its_answer_from_any_server()
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        using var hangUp = new CancellationTokenSource();
        var first = A.PostAsync("patient", key, new Ask(gate), hangUp.Token);
        var effect = await RunsAsync(key);

        await hangUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.Equal(Answer.InProgress, (await B.PostAsync("patient", key)).Code);
        gate.Open();
        var answer = await AskUntilDecidedAsync(B, "patient", key);

        Assert.Equal((effect, true), (answer.Effect, answer.IsReplay));
        await AllReplayAsync("patient", key, answer);
        Assert.Single(Cluster.Effects.Of(key));
    }

    [Fact]
    public async Task Never_runs_again_after_a_killed_owner_when_told_to_refuse()
    {
        var key = Cluster.NewKey();
        var lost = A.PostAsync("refuse", key, new Ask(Cluster.NewGate()));
        await RunsAsync(key);

        A.Kill();
        await Assert.ThrowsAsync<HttpRequestException>(() => lost);
        var answer = await AskUntilDecidedAsync(B, "refuse", key);

        Assert.Equal((409, Answer.OutcomeUnknown), (answer.Status, answer.Code));
        await A.StartAsync();
        foreach (var server in Cluster.Servers)
        {
            var told = await Eventually.GetAsync(() => server.PostAsync("refuse", key), one => one.Code != Answer.StoreUnavailable); // one that has just started may have no connection yet
            Assert.Equal(Answer.OutcomeUnknown, told.Code);
        }

        Assert.Single(Cluster.Effects.Of(key));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_zombie_neither_overwrites_nor_deletes_what_its_successor_recorded(bool zombieFails)
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var zombies = A.PostAsync("takeover", key, new Ask(gate, Fail: zombieFails));
        await RunsAsync(key);

        A.Freeze();
        var successors = await AskUntilDecidedAsync(B, "takeover", key);
        Assert.Equal(2, successors.Effect.Attempt);
        gate.Open();
        A.Thaw();

        // Its client gets the answer that counts, unless its own says that nothing was recorded.
        Assert.Equal(zombieFails ? new Answer(500, null, "", false, false) : successors with { IsReplay = true }, await zombies);
        await AllReplayAsync("takeover", key, successors);
        Assert.Equal([1, 2], Cluster.Effects.Of(key).Select(effect => effect.Attempt));
    }

    [Fact]
    public async Task A_zombie_tells_no_answer_while_its_successor_is_running()
    {
        var key = Cluster.NewKey();
        var zombiesGate = Cluster.NewGate();
        var successorsGate = Cluster.NewGate();
        var zombies = A.PostAsync("takeover", key, new Ask(zombiesGate));
        await RunsAsync(key);

        A.Freeze();
        var successors = AskUntilDecidedAsync(B, "takeover", key, new Ask(successorsGate));
        await RunsAsync(key, attempt: 2);
        zombiesGate.Open();
        A.Thaw();

        Assert.Equal((409, Answer.InProgress), await zombies is var told ? (told.Status, told.Code) : default);
        successorsGate.Open();
        Assert.Equal(2, (await successors).Effect.Attempt);
        await AllReplayAsync("takeover", key, await successors);
    }

    [Fact]
    public async Task A_zombie_records_its_answer_when_its_successor_failed_and_gave_the_key_back()
    {
        var key = Cluster.NewKey();
        var gate = Cluster.NewGate();
        var zombies = A.PostAsync("takeover", key, new Ask(gate));
        await RunsAsync(key);

        A.Freeze();
        Assert.Equal(500, (await AskUntilDecidedAsync(B, "takeover", key, new Ask(Fail: true))).Status);
        gate.Open();
        A.Thaw();

        var answer = await zombies;
        Assert.Equal((200, 1, false), (answer.Status, answer.Effect.Attempt, answer.IsUnstored));
        await AllReplayAsync("takeover", key, answer);
        Assert.Equal(2, Cluster.Effects.Of(key).Count);
    }

    [Fact]
    public async Task A_server_that_learns_of_its_claim_after_it_lapsed_does_not_run_the_handler()
    {
        var key = Cluster.NewKey();

        // The claim is taken, and its reply comes when the successor has long answered.
        A.ToStore.HoldReplies();
        var late = A.PostAsync("takeover", key);
        await Eventually.TrueAsync(() => A.ToStore.RepliesHeld > 0, "a reply is held");
        var successors = await AskUntilDecidedAsync(B, "takeover", key);
        A.ToStore.PassReplies();

        var told = await late;
        Assert.True(told == successors with { IsReplay = true } || told.Code is Answer.InProgress or Answer.StoreUnavailable, $"{told}");
        await AllReplayAsync("takeover", key, successors);
        Assert.Equal([successors.Effect], Cluster.Effects.Of(key));
    }
}

[Collection("Redis")]
public sealed class RedisOwnerFaultTests(RedisCluster cluster) : OwnerFaultTests(cluster);

[Collection("DynamoDB")]
public sealed class DynamoDBOwnerFaultTests(DynamoDBCluster cluster) : OwnerFaultTests(cluster);
