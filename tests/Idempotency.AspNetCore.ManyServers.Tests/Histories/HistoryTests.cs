using System.Text.Json;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>A checker that finds nothing wrong is worth something only if it would have.</summary>
public sealed class HistoryTests
{
    private static readonly Effect First = new(Guid.NewGuid(), "key", Attempt: 1, "a", Fails: false, At: 10);
    private static readonly Effect Second = First with { Id = Guid.NewGuid(), Attempt = 2, Server = "b", At = 80 };
    private static readonly Effect Failed = First with { Id = Guid.NewGuid(), Fails = true, At = 5 };

    private static Answer Told(Effect effect, bool isReplay = true) => new(200, null, JsonSerializer.Serialize(effect, JsonSerializerOptions.Web), isReplay, IsUnstored: false);

    private static Answer Problem(int status, string code) => new(status, code, "", false, false);

    private static Operation Op(long sentAt, Answer answer, string endpoint = "takeover", string client = "one") => new(client, endpoint, "key", "a", sentAt, sentAt + 5, answer);

    private static void AssertFine(Effect[] effects, params Operation[] operations) => Assert.Empty(History.Violations(effects, operations));

    private static void AssertFound(string what, Effect[] effects, params Operation[] operations) =>
        Assert.StartsWith(what, Assert.Single(History.Violations(effects, operations)));

    [Fact]
    public void Accepts_one_effect_and_its_replays() =>
        AssertFine([First], Op(8, Told(First, isReplay: false)), Op(9, Problem(409, Answer.InProgress)), Op(20, Told(First)), Op(30, Told(First), client: History.Auditor));

    [Fact]
    public void Accepts_a_takeover() => AssertFine([First, Second], Op(8, Answer.None), Op(90, Told(Second)));

    [Fact]
    public void Accepts_a_run_after_a_failure() => AssertFine([Failed, First], Op(4, Problem(500, "")), Op(9, Told(First)));

    [Fact]
    public void Accepts_a_lapsed_attempt_that_begins_late() => AssertFine([First with { At = 200 }, Second], Op(90, Told(Second)), Op(300, Told(Second)));

    [Fact]
    public void Accepts_another_answer_after_one_marked_as_unrecorded() =>
        AssertFine([First, Second], Op(8, Told(First) with { IsUnstored = true }), Op(90, Told(Second)));

    [Fact]
    public void Accepts_a_store_or_server_that_is_away_after_a_success() =>
        AssertFine([First], Op(8, Told(First)), Op(20, Problem(503, Answer.StoreUnavailable)), Op(30, Answer.None));

    [Fact]
    public void Finds_an_answer_that_nobody_stated() => AssertFound("an answer nobody stated", [First], Op(8, Problem(500, "")));

    [Fact]
    public void Finds_a_second_effect() => AssertFound("attempt 1 ran 2 times", [First, First with { Id = Guid.NewGuid(), At = 12 }], Op(8, Told(First)));

    [Fact]
    public void Finds_a_takeover_where_it_is_refused() =>
        AssertFound("2 effects where", [First, Second], Op(8, Answer.None, "refuse"), Op(90, Told(Second), "refuse"));

    [Fact]
    public void Finds_a_success_without_an_effect() => AssertFound("a success without an effect", [First], Op(8, Told(Second)));

    [Fact]
    public void Finds_a_success_that_tells_of_a_failed_effect() => AssertFound("a success without an effect", [Failed], Op(8, Told(Failed)));

    [Fact]
    public void Finds_two_answers() => AssertFound("two answers", [First, Second with { At = 12 }], Op(8, Told(First)), Op(200, Told(Second with { At = 12 })));

    [Theory]
    [InlineData(409, Answer.InProgress)]
    [InlineData(409, Answer.OutcomeUnknown)]
    public void Finds_a_success_that_is_taken_back(int status, string code) =>
        AssertFound("a success taken back", [First], Op(8, Told(First)), Op(20, Problem(status, code)));

    [Fact]
    public void Finds_a_run_that_begins_after_a_success_was_told() => AssertFound("ran after a success", [First, Second], Op(8, Told(First)));

    [Fact]
    public void Finds_a_server_that_does_not_replay_in_the_end() =>
        AssertFound("not replayed in the end", [First], Op(8, Told(First)), Op(20, Told(First, isReplay: false), client: History.Auditor));
}
