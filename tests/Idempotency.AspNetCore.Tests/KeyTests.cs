namespace Idempotency.AspNetCore.Tests;

/// <summary>Which request is this? The key a client writes, the one a body is, and whose it is.</summary>
public sealed class KeyTests
{
    private static Task<Api> StartAsync(IdempotencyPolicy? policy = null, bool kestrel = false)
    {
        var runs = 0;
        return Api.StartAsync(
            app => app.Map("/{**path}", (HttpContext context) => Results.Text($"{Interlocked.Increment(ref runs)} {context.Features.Get<IIdempotencyFeature>()?.Key}")).WithIdempotency(policy ?? new IdempotencyPolicy()),
            kestrel: kestrel);
    }

    [Fact]
    public async Task A_missing_key_is_refused_when_it_is_required()
    {
        await using var api = await StartAsync();
        using var response = await api.SendAsync(key: null);
        await response.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.Equal(0, api.Store.AllCalls);
    }

    [Fact]
    public async Task A_missing_key_passes_through_when_it_is_optional()
    {
        await using var api = await StartAsync(new IdempotencyPolicy { KeyRequired = false });
        using var first = await api.SendAsync(key: null);
        using var second = await api.SendAsync(key: null);
        Assert.Equal("1 ", await first.TextAsync());
        Assert.Equal("2 ", await second.TextAsync());
        Assert.Null(first.Headers.ETag);
        Assert.Equal(0, api.Store.AllCalls);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("\"\"")]
    [InlineData("\"abc")]
    [InlineData("abc\"")]
    [InlineData("\"abc\" x")]
    [InlineData("\"abc\";v=1")]
    [InlineData("abc;v=1")]
    [InlineData("\"a\", \"b\"")]
    [InlineData("a, b")]
    [InlineData("\"a\\b\"")]
    [InlineData("\"a\\")]
    [InlineData("\"a\"\"b\"")]
    [InlineData("käse")]
    [InlineData("\"käse\"")]
    [InlineData("a\tb")]
    [InlineData("\"a\tb\"")]
    public async Task A_malformed_key_is_refused_also_when_it_is_optional(string key)
    {
        // A real server: the one in memory drops a header that is empty.
        await using var api = await StartAsync(new IdempotencyPolicy { KeyRequired = false }, kestrel: true);
        using var response = await api.SendAsync(key: key);
        await response.AssertProblemAsync(400, "idempotency-key-invalid", "new-key");
        Assert.Equal(0, api.Store.AllCalls);
    }

    [Fact]
    public async Task A_key_has_255_characters_at_the_most()
    {
        await using var api = await StartAsync();
        using var longest = await api.SendAsync(key: new string('x', 255));
        using var quoted = await api.SendAsync(key: $"\"{new string('x', 255)}\"");
        using var tooLong = await api.SendAsync(key: new string('x', 256));
        Assert.Equal(200, (int)longest.StatusCode);
        Assert.True(quoted.IsReplay());
        await tooLong.AssertProblemAsync(400, "idempotency-key-invalid", "new-key");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Two_field_lines_are_refused(bool kestrel)
    {
        await using var api = await StartAsync(kestrel: kestrel);
        using var response = await api.SendAsync(key: "one", with: request => request.Headers.TryAddWithoutValidation("Idempotency-Key", "two"));
        await response.AssertProblemAsync(400, "idempotency-key-invalid", "new-key");
    }

    [Theory]
    [InlineData("abc", "\"abc\"", "abc")]
    [InlineData("a\\b", "\"a\\\\b\"", "a\\b")]
    [InlineData("\"a\\\"b\"", "  \"a\\\"b\" ", "a\"b")]
    [InlineData("a b:c/d?e=f&g+h%20{}[]()<>@!#$^*|~`'", "\"a b:c/d?e=f&g+h%20{}[]()<>@!#$^*|~`'\"", "a b:c/d?e=f&g+h%20{}[]()<>@!#$^*|~`'")]
    public async Task A_quoted_key_and_the_bare_one_are_the_same(string one, string other, string key)
    {
        await using var api = await StartAsync();
        using var first = await api.SendAsync(key: one);
        using var replay = await api.SendAsync(key: other);
        Assert.Equal("1 " + key, await first.TextAsync());
        Assert.True(replay.IsReplay());
    }

    [Fact]
    public async Task The_header_can_have_another_name()
    {
        await using var api = await StartAsync(new IdempotencyPolicy { HeaderName = "X-Request-Token" });
        using var first = await api.SendAsync(key: null, with: request => request.Headers.Add("X-Request-Token", "a"));
        using var replay = await api.SendAsync(key: null, with: request => request.Headers.Add("X-Request-Token", "a"));
        using var missing = await api.SendAsync();
        Assert.True(replay.IsReplay());
        await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.Contains("X-Request-Token", await missing.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_key_user_method_or_path_is_another_request()
    {
        await using var api = await StartAsync();
        var answers = new List<string>();
        foreach (var request in new[]
        {
            Api.Request("/a"), Api.Request("/b"), Api.Request("/a", key: "key-2"), Api.Request("/a", user: "ann"), Api.Request("/a", user: "bob"),
            Api.Request("/a", method: HttpMethod.Put), Api.Request("/A"), Api.Request("/a/b"), Api.Request("/a", key: "KEY-1"),
        })
        {
            using var response = await api.Client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.False(response.IsReplay());
            answers.Add(await response.TextAsync());
        }

        Assert.Equal(answers.Count, answers.Distinct().Count());
    }

    [Fact]
    public async Task One_users_key_neither_fetches_nor_blocks_anothers()
    {
        var gate = new Gate();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            if (context.User.FindFirst("sub")!.Value == "ann")
            {
                await gate.PassAsync();
            }

            return context.User.FindFirst("sub")!.Value;
        }).WithIdempotency());
        var ann = api.SendAsync(user: "ann");
        await gate.ArrivedAsync();
        using var bob = await api.SendAsync(user: "bob", json: """{"other":1}""");
        gate.Open();
        using var annsAnswer = await ann;
        Assert.Equal("bob", await bob.TextAsync());
        Assert.Equal("ann", await annsAnswer.TextAsync());
    }

    [Fact]
    public void Partitions_cannot_imitate_each_other()
    {
        var user = (string issuer, string subject) => new System.Security.Claims.ClaimsPrincipal(new System.Security.Claims.ClaimsIdentity(
            [new System.Security.Claims.Claim("sub", subject, null, issuer)], "test"));
        var keys = new HashSet<StoreKey>();
        var custom = new IdempotencyPolicy { Partition = context => context.Request.Headers["X-Tenant"] };
        foreach (var (principal, policy, tenant) in new (System.Security.Claims.ClaimsPrincipal, IdempotencyPolicy, string?)[]
        {
            (user("issuer", "ann"), new(), null), (user("issuera", "nn"), new(), null), (user("issue", "rann"), new(), null),
            (new(), new(), null), (new(), custom, ""), (new(), custom, "ann"), (new(), custom, "issuerann"), (user("", ""), new(), null),
        })
        {
            var context = new DefaultHttpContext { User = principal };
            if (tenant is not null)
            {
                context.Request.Headers["X-Tenant"] = tenant;
            }

            Assert.True(keys.Add(RequestIdentity.StoreKeyOf(context, policy, "key", KeyOrigin.Header)));
        }
    }

    [Fact]
    public void Every_identity_of_a_user_counts_and_so_does_who_issued_it()
    {
        static System.Security.Claims.ClaimsIdentity Identity(string scheme, string? subject) =>
            new(subject is null ? [] : [new System.Security.Claims.Claim(System.Security.Claims.ClaimTypes.NameIdentifier, subject)], scheme);
        var keys = new HashSet<StoreKey>();
        foreach (var identities in new System.Security.Claims.ClaimsIdentity[][]
        {
            [Identity("Customers", "1")], [Identity("Staff", "1")], [Identity("ApiKey", "app"), Identity("Bearer", "ann")], [Identity("ApiKey", "app"), Identity("Bearer", "bob")],
            [Identity("ApiKey", null), Identity("Bearer", "ann")], [new System.Security.Claims.ClaimsIdentity()],
        })
        {
            var context = new DefaultHttpContext { User = new System.Security.Claims.ClaimsPrincipal(identities) };
            Assert.True(keys.Add(RequestIdentity.StoreKeyOf(context, new(), "key", KeyOrigin.Header)));
        }

        foreach (var tenant in new[] { "t\uD800", "t\uD801", "t\uFFFD" })
        {
            Assert.True(keys.Add(RequestIdentity.StoreKeyOf(new DefaultHttpContext(), new() { Partition = _ => tenant }, "key", KeyOrigin.Header)));
        }
    }

    [Fact]
    public async Task Where_the_body_is_the_key_another_query_is_another_request()
    {
        await using var api = await StartAsync(new IdempotencyPolicy { KeySource = IdempotencyKeySource.Body });
        using var one = await api.SendAsync("/?page=1", key: null);
        using var two = await api.SendAsync("/?page=2", key: null);
        using var oneAgain = await api.SendAsync("/?page=1", key: null);
        Assert.StartsWith("2 ", await two.TextAsync(), StringComparison.Ordinal);
        Assert.True(oneAgain.IsReplay());
    }

    [Fact]
    public async Task A_user_who_cannot_be_told_apart_is_an_error_and_not_a_shared_partition()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => "x").WithIdempotency(),
            outer: app => app.Use((context, next) =>
            {
                context.User = new System.Security.Claims.ClaimsPrincipal(new System.Security.Claims.ClaimsIdentity([new System.Security.Claims.Claim("role", "x")], "test"));
                return next(context);
            }));
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => api.SendAsync());
        Assert.Contains("IdempotencyPolicy.Partition", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_can_be_the_key()
    {
        await using var api = await StartAsync(new IdempotencyPolicy { KeySource = IdempotencyKeySource.Body });
        using var first = await api.SendAsync(key: null, json: """{"b":1.0,"a":"\u0041"}""");
        using var same = await api.SendAsync(key: "ignored", json: """ { "a" : "A", "b" : 1 } """);
        using var other = await api.SendAsync(key: null, json: """{"b":1,"a":"B"}""");
        using var missing = await api.SendAsync(key: null, json: null);
        using var notJson = await api.SendAsync(key: null, json: "not json");
        using var asText = await api.SendAsync(key: null, json: """{"a":"A","b":1}""", with: request => request.Content!.Headers.ContentType = new("text/plain"));

        // SHA-256 of {"a":"A","b":1}
        Assert.Equal(Sha256Hash.Of("""{"a":"A","b":1}"""u8).ToString(), (await first.TextAsync())[2..]);
        Assert.True(same.IsReplay());
        Assert.StartsWith("2 ", await other.TextAsync(), StringComparison.Ordinal);
        await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.StartsWith("3 raw-", await notJson.TextAsync(), StringComparison.Ordinal);
        Assert.StartsWith("4 raw-", await asText.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_header_comes_before_the_body_where_either_can_be_the_key()
    {
        await using var api = await StartAsync(new IdempotencyPolicy { KeySource = IdempotencyKeySource.HeaderOrBody });
        using var byHeader = await api.SendAsync(key: "k", json: "{\"a\":1}");
        using var byBody = await api.SendAsync(key: null, json: "{\"a\":1}");
        using var byBodyAgain = await api.SendAsync(key: null, json: "{ \"a\":1 }");
        using var reused = await api.SendAsync(key: "k", json: "{\"a\":2}");
        using var nothing = await api.SendAsync(key: null, json: null);
        Assert.StartsWith("1 k", await byHeader.TextAsync(), StringComparison.Ordinal);
        Assert.StartsWith("2 ", await byBody.TextAsync(), StringComparison.Ordinal);
        Assert.True(byBodyAgain.IsReplay());
        await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        await nothing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
    }

    [Fact]
    public async Task The_path_base_is_part_of_the_path()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.Map("/a/b", () => Interlocked.Increment(ref runs)).WithIdempotency(),
            outer: app => app.UsePathBase("/base").UseRouting());
        using var plain = await api.SendAsync("/a/b");
        using var based = await api.SendAsync("/base/a/b");
        using var basedAgain = await api.SendAsync("/base/a/b");
        Assert.Equal(2, runs);
        Assert.True(basedAgain.IsReplay());
    }
}
