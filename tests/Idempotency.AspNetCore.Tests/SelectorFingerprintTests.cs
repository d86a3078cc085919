using System.Security.Claims;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What of a retry must be equal, where an expression says so.</summary>
public sealed class SelectorFingerprintTests
{
    private static readonly IdempotencyPolicy ByAmount = new() { FingerprintSelector = "[amount, to.iban]" };

    [Theory]
    [InlineData(RequestFingerprintMode.ExactJson)]
    [InlineData(RequestFingerprintMode.Raw)]
    [InlineData(RequestFingerprintMode.None)]
    public async Task Only_what_is_selected_must_be_equal_also_after_many_replays(RequestFingerprintMode mode)
    {
        await using var api = await Selecting.StartAsync(ByAmount with { Fingerprint = mode });
        const string First = """{"amount":5,"to":{"iban":"X","name":"a"},"sent":1}""";
        using var first = await api.SendAsync(json: First);
        for (var i = 0; i < 3; i++)
        {
            using var sameBytes = await api.SendAsync(json: First);
            using var otherMembers = await api.SendAsync("/?trace=1", json: """ { "sent" : 2 , "to" : { "iban" : "X" } , "amount" : 5.0 } """);
            using var otherType = await api.SendAsync(json: First, with: request => request.Content!.Headers.ContentType = new("application/vnd.pay+json"));
            using var otherAmount = await api.SendAsync(json: First.Replace("5", "500", StringComparison.Ordinal));
            using var otherPlace = await api.SendAsync(json: First.Replace("X", "Y", StringComparison.Ordinal));
            using var asText = await api.SendAsync(json: First, with: request => request.Content!.Headers.ContentType = new("text/plain"));
            Assert.True(sameBytes.IsReplay());
            Assert.True(otherMembers.IsReplay());
            Assert.True(otherType.IsReplay());
            await otherAmount.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
            await otherPlace.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
            await asText.AssertProblemAsync(422, "idempotency-key-reused", "new-key"); // a text has no amount
        }

        Assert.Equal(1, api.Store.Calls("complete"));
        Assert.Equal(1, api.Store.Calls("claim")); // replays and refusals alike come from the local cache
    }

    [Fact]
    public async Task It_is_the_same_without_the_local_cache()
    {
        await using var api = await Selecting.StartAsync(ByAmount, options: options => options.LocalCacheMaxEntries = 0);
        using var first = await api.SendAsync(json: """{"amount":5}""");
        using var again = await api.SendAsync(json: """{"amount":5,"sent":2}""");
        using var other = await api.SendAsync(json: """{"amount":6}""");
        Assert.True(again.IsReplay());
        await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        Assert.Equal(3, api.Store.Calls("claim"));
    }

    [Theory]
    [InlineData("""{"note":1}""", """{"amount":5}""")]
    [InlineData("""{"amount":5}""", """{"note":1}""")]
    [InlineData("""{"amount":5}""", """{"Amount":5}""")]
    [InlineData("", """{"amount":5}""")]
    [InlineData("not json", """{"amount":5}""")]
    [InlineData("""{"amount":""}""", """{"note":1}""")]
    [InlineData("""{"amount":"5"}""", """{"amount":5}""")]
    [InlineData("""{"amount":"\ud800"}""", """{"amount":"\ud801"}""")]
    public async Task What_is_absent_once_must_be_absent_again(string one, string other)
    {
        await using var api = await Selecting.StartAsync(new IdempotencyPolicy { FingerprintSelector = "amount" });
        using var first = await api.SendAsync(json: one);
        using var again = await api.SendAsync(json: one);
        using var reused = await api.SendAsync(json: other);
        Assert.Equal(200, (int)first.StatusCode);
        Assert.True(again.IsReplay());
        await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public async Task Absent_and_empty_parts_are_equal_where_nothing_is_selected()
    {
        await using var api = await Selecting.StartAsync(new IdempotencyPolicy { FingerprintSelector = "amount" });
        using var first = await api.SendAsync(json: """{"note":1}""");
        using var again = await api.SendAsync(json: """{"note":2,"amount":null}""");
        Assert.True(again.IsReplay());
    }

    [Fact]
    public async Task Other_content_is_refused_while_the_first_runs_too()
    {
        var gate = new Gate();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async () =>
            {
                await gate.PassAsync();
                return "done";
            }).WithIdempotency(ByAmount),
            services: services => services.AddIdempotency().AddJmesPath());
        var first = api.SendAsync(json: """{"amount":5}""");
        await gate.ArrivedAsync();
        using var same = await api.SendAsync(json: """{"amount":5,"sent":2}""");
        using var other = await api.SendAsync(json: """{"amount":6}""");
        gate.Open();
        using var answer = await first;
        await same.AssertProblemAsync(409, "idempotency-request-in-progress", "same-key");
        await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        Assert.Equal("done", await answer.TextAsync());
    }

    [Fact]
    public async Task Key_and_content_are_selected_each_by_its_expression()
    {
        await using var api = await Selecting.StartAsync(new IdempotencyPolicy { KeySelector = "[user_id, product_id]", FingerprintSelector = "amount" });
        using var first = await api.PostAsync("""{"user_id":1,"product_id":2,"amount":5,"sent":1}""");
        using var again = await api.PostAsync("""{"user_id":1,"product_id":2,"amount":5,"sent":2}""");
        using var reused = await api.PostAsync("""{"user_id":1,"product_id":2,"amount":6,"sent":1}""");
        using var other = await api.PostAsync("""{"user_id":1,"product_id":3,"amount":6,"sent":1}""");
        Assert.True(again.IsReplay());
        await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        Assert.StartsWith("2 ", await other.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_stands_around_the_body_can_be_what_counts()
    {
        await using var api = await Selecting.StartAsync(
            new IdempotencyPolicy { FingerprintSelector = "[query.currency, headers.\"x-version\", user.tenant]" },
            outer: app => app.Use((context, next) =>
            {
                context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", "ann"), new Claim("tenant", context.Request.Headers["X-Tenant"].ToString())], "test"));
                return next(context);
            }));
        using var first = await SendAsync("/?currency=EUR", "1", "t");
        using var again = await SendAsync("/?trace=x&currency=EUR", "1", "t", """{"other":"body"}""");
        using var otherQuery = await SendAsync("/?currency=USD", "1", "t");
        using var otherHeader = await SendAsync("/?currency=EUR", "2", "t");
        using var otherClaim = await SendAsync("/?currency=EUR", "1", "u");
        Assert.True(again.IsReplay());
        Assert.All([otherQuery, otherHeader, otherClaim], response => Assert.Equal(422, (int)response.StatusCode));

        Task<HttpResponseMessage> SendAsync(string path, string version, string tenant, string json = "{}") => api.SendAsync(path, json: json, with: request =>
        {
            request.Headers.Add("X-Version", version);
            request.Headers.Add("X-Tenant", tenant);
        });
    }

    [Fact]
    public async Task What_cannot_be_selected_is_refused_and_nothing_runs()
    {
        await using var api = await Selecting.StartAsync(new IdempotencyPolicy { FingerprintSelector = "sum(amounts)" });
        using var refused = await api.SendAsync(json: """{"amounts":["secret"]}""");
        await refused.AssertProblemAsync(400, "idempotency-key-invalid", "new-key");
        Assert.Contains("sum(amounts)", await refused.TextAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", await refused.TextAsync(), StringComparison.Ordinal);
        Assert.Equal(0, api.Store.AllCalls);
        using var right = await api.SendAsync(json: """{"amounts":[1,2]}""");
        using var split = await api.SendAsync(json: """{"amounts":[3]}""");
        Assert.StartsWith("1 ", await right.TextAsync(), StringComparison.Ordinal);
        Assert.True(split.IsReplay());
    }

    [Fact]
    public async Task The_answer_of_one_policy_is_checked_by_the_rules_of_the_one_that_replays_it()
    {
        // As after a deployment that adds the selector: an answer that was fingerprinted whole is not taken for an equal selection, nor the other way round.
        var policy = new IdempotencyPolicy();
        await using var whole = await Selecting.StartAsync(policy);
        await using var selected = await Api.StartAsync(
            app => app.Map("/{**path}", () => "2").WithIdempotency(policy with { FingerprintSelector = "amount" }),
            services: services => services.AddSingleton(whole.Store.Inner).AddIdempotency().AddJmesPath());
        using var first = await whole.SendAsync(json: """{"amount":5}""");
        using var again = await selected.SendAsync(json: """{"amount":5}""");
        await again.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        using var mine = await selected.SendAsync("/b", json: """{"amount":5}""");
        using var theirs = await whole.SendAsync("/b", json: """{"amount":5}""");
        await theirs.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public void Stored_keys_and_fingerprints_of_selections_are_what_they_have_been()
    {
        // Written by the first release. With another layout every request in customers' stores would be a stranger.
        var context = new DefaultHttpContext { Request = { Method = "POST", PathBase = "/v1", Path = "/payments", QueryString = new("?a=1") } };
        var key = RequestIdentity.KeyOf("""{ "user_id": 7.0, "transaction_id": "t-1" }"""u8, isJson: true);
        Assert.Equal("6811e80d133315863f1e4840d4f80f1daa9c4609e8ae86b5c667f9fadad0d93e", key);
        Assert.Equal("aca3a781462c2c5291a5e20b224d7d7889fe5f737b0b7b1374fee3e31db093d5", RequestIdentity.StoreKeyOf(context, new IdempotencyPolicy(), key, KeyOrigin.Selection).ToString());
        Assert.Equal("2d367f97be37421bbc38738eb0afcca46db7e6962472a158b1902a0eb21f85f4", RequestIdentity.FingerprintOfSelection(context, key).ToString());
        Assert.Equal("3c337026efbdad1353728bbadfc87df964cca474bc984747a4da9965b4af87f5", RequestIdentity.FingerprintOfSelection(context, null).ToString());
        Assert.Equal("5fd66982000d8b6f429264060265b16c884aac9ed90651c6d75e9068be352c7d", FunctionIdentity.StoreKeyOfSelection("payouts", key, null).ToString());
        Assert.Equal("561e476ebc117c2d6d79599b29c8489e69206bd8cf563da0834ac3ad2c9f37ba", FunctionIdentity.StoreKeyOfSelection("payouts", key, "tenant-1").ToString());
        Assert.Equal("8229a4d9f8e1cdb6ed0d4c3d4037befad7751a0b689bf60a9987d589d59bbac1", FunctionIdentity.FingerprintOfSelection(key).ToString());
        Assert.Equal("25eaa5b7aacc34e4fcc9c351dfce1c1ad663cd10a664d06f3156a093436b8ca4", FunctionIdentity.FingerprintOfSelection(null).ToString());
    }
}
