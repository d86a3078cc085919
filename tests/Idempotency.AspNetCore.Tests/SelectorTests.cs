using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A key that an expression selects of the request.</summary>
public sealed class SelectorTests
{
    private static readonly IdempotencyPolicy ByPayment = new() { KeySelector = "[transaction_id, user_id]", Fingerprint = RequestFingerprintMode.None };

    private static IdempotencyPolicy By(string selector) => new() { KeySelector = selector, Fingerprint = RequestFingerprintMode.None };

    [Fact]
    public async Task The_key_is_the_hash_of_what_is_selected()
    {
        await using var api = await Selecting.StartAsync(ByPayment);
        using var first = await api.PostAsync("""{"transaction_id":"t-1","user_id":7,"note":"a"}""");
        using var again = await api.PostAsync("""{"note":"b","user_id":7,"transaction_id":"t-1"}""");
        using var other = await api.PostAsync("""{"transaction_id":"t-1","user_id":8}""");
        Assert.Equal(Selecting.KeyOf("""["t-1",7]"""), await first.KeyAsync());
        Assert.True(again.IsReplay());
        Assert.StartsWith("2 ", await other.TextAsync(), StringComparison.Ordinal);
        Assert.Equal(await first.TextAsync(), await again.TextAsync());
    }

    [Theory]
    [InlineData("""{"transaction_id":null,"user_id":null}""")]
    [InlineData("""{"transaction_id":[],"user_id":{}}""")]
    [InlineData("""{"note":"something else"}""")]
    [InlineData("""{"Transaction_Id":"t-1","USER_ID":7}""")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"text\"")]
    [InlineData("1")]
    public async Task Nothing_selected_is_a_missing_key(string json)
    {
        await using var api = await Selecting.StartAsync(ByPayment);
        using var response = await api.PostAsync(json);
        await response.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.Contains("[transaction_id, user_id]", await DetailAsync(response), StringComparison.Ordinal);
        Assert.Equal(0, api.Store.AllCalls);
    }

    [Theory]
    [InlineData("""{"note":"something else"}""")]
    [InlineData("not json")]
    [InlineData("")]
    public async Task Nothing_selected_runs_unprotected_where_no_key_is_required_and_the_handler_reads_the_body(string body)
    {
        await using var api = await Selecting.StartAsync(ByPayment with { KeyRequired = false });
        using var first = await api.PostAsync(body);
        using var second = await api.PostAsync(body);
        Assert.Equal("1  " + body, await first.TextAsync());
        Assert.Equal("2  " + body, await second.TextAsync());
        Assert.Equal(0, api.Store.AllCalls);
        Assert.Null(first.Headers.ETag);

        using var withKey = await api.PostAsync("""{"transaction_id":"t-1"}""");
        using var replay = await api.PostAsync("""{"transaction_id":"t-1"}""");
        Assert.True(replay.IsReplay());
    }

    [Theory]
    [InlineData("""{"transaction_id":0}""", "[0,null]")]
    [InlineData("""{"transaction_id":false}""", "[false,null]")]
    [InlineData("""{"transaction_id":""}""", """["",null]""")]
    [InlineData("""{"user_id":"u"}""", """[null,"u"]""")]
    [InlineData("""{"transaction_id":{"a":[1]},"user_id":[]}""", """[{"a":[1]},[]]""")]
    [InlineData("""{"transaction_id":9007199254740993}""", "[9007199254740993,null]")]
    [InlineData("""{"transaction_id":1e999999999}""", "[1e999999999,null]")]
    [InlineData("""{"transaction_id":100}""", "[1e2,null]")]
    public async Task Zero_false_and_the_empty_text_are_values_and_part_of_a_key_is_one(string json, string selected)
    {
        await using var api = await Selecting.StartAsync(ByPayment);
        using var response = await api.PostAsync(json);
        Assert.Equal(Selecting.KeyOf(selected), await response.KeyAsync());
    }

    [Theory]
    [InlineData("""{"id":{"a":1,"b":"A/é😀"}}""", """ { "id" : { "b" : "\u0041\/\u00e9\ud83d\ude00" , "a" : 1.0 } } """)]
    [InlineData("""{"id":{"a":1,"b":""}}""", """{"id":{"b":"","a":1e0}}""")]
    [InlineData("""{"id":[100]}""", """{"id":[ 1E+2 ]}""")]
    [InlineData("""{"id":-0}""", """{"id":0.0}""")]
    [InlineData("""{"id":9007199254740993}""", """{"id":9007199254740993.0}""")]
    [InlineData("""{"id":1,"id":2}""", """{"id":3,"id":2}""")] // the last counts, as for the serializer
    public async Task How_the_same_is_written_never_matters(string one, string other)
    {
        await using var api = await Selecting.StartAsync(By("id"));
        using var first = await api.PostAsync(one);
        using var again = await api.PostAsync(other);
        Assert.Equal(200, (int)first.StatusCode);
        Assert.True(again.IsReplay());
    }

    [Theory]
    [InlineData("""{"id":1}""", """{"id":"1"}""")]
    [InlineData("""{"id":9007199254740993}""", """{"id":9007199254740992}""")]
    [InlineData("""{"id":[1,2]}""", """{"id":[2,1]}""")]
    [InlineData("""{"id":"a"}""", """{"id":"A"}""")]
    [InlineData("""{"id":{"a":1}}""", """{"id":{"A":1}}""")]
    [InlineData("""{"id":false}""", """{"id":0}""")]
    [InlineData("""{"id":"\ud800"}""", """{"id":"\ud801"}""")]
    [InlineData("""{"id":"\ud800"}""", """{"id":"\ufffd"}""")]
    [InlineData("""{"id":"null"}""", """{"id":""}""")]
    public async Task Something_else_is_another_key(string one, string other)
    {
        await using var api = await Selecting.StartAsync(By("id"));
        using var first = await api.PostAsync(one);
        using var second = await api.PostAsync(other);
        Assert.Equal(200, (int)first.StatusCode);
        Assert.Equal(200, (int)second.StatusCode);
        Assert.False(second.IsReplay());
        Assert.NotEqual(await first.KeyAsync(), await second.KeyAsync());
    }

    [Fact]
    public async Task An_expression_that_cannot_be_applied_is_a_malformed_key_and_says_nothing_of_the_document()
    {
        await using var api = await Selecting.StartAsync(By("join('-', [secret, other])") with { KeyRequired = false });
        using var response = await api.PostAsync("""{"secret":"hunter2","other":4711}""");
        await response.AssertProblemAsync(400, "idempotency-key-invalid", "new-key");
        var text = await response.TextAsync();
        Assert.Contains("join('-', [secret, other])", await DetailAsync(response), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", text, StringComparison.Ordinal);
        Assert.DoesNotContain("4711", text, StringComparison.Ordinal);
        Assert.Equal(0, api.Store.AllCalls);

        using var right = await api.PostAsync("""{"secret":"hunter2","other":"x"}""");
        Assert.StartsWith("1 ", await right.TextAsync(), StringComparison.Ordinal); // nothing ran before
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("""{"id":1} x""")]
    [InlineData("""{"id":1,}""")]
    [InlineData("""{"id":1""")]
    [InlineData("""{"id":01}""")]
    [InlineData("""{"id":1} {"id":1}""")]
    [InlineData("""{/* a comment */"id":1}""")]
    public async Task A_body_that_only_says_it_is_JSON_has_no_members(string body)
    {
        await using var api = await Selecting.StartAsync(By("id"));
        using var response = await api.PostAsync(body);
        await response.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
    }

    [Fact]
    public async Task JSON_that_does_not_say_so_is_a_text()
    {
        await using var api = await Selecting.StartAsync(By("id"));
        using var text = await api.PostAsync("""{"id":1}"""u8.ToArray(), "text/plain");
        using var utf16 = await api.PostAsync(Encoding.Unicode.GetBytes("""{"id":1}"""), "application/json; charset=utf-16");
        using var json = await api.PostAsync("""{"id":1}"""u8.ToArray(), "application/vnd.payment+json; charset=\"UTF-8\"");
        await text.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        await utf16.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.Equal(Selecting.KeyOf("1"), await json.KeyAsync());
    }

    [Fact]
    public async Task No_body_is_a_missing_key()
    {
        await using var api = await Selecting.StartAsync(By("id"));
        using var none = await api.PostAsync(json: null);
        using var empty = await api.PostAsync("");
        using var delete = await api.SendAsync(key: null, json: null, method: HttpMethod.Delete);
        await none.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        await empty.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        await delete.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
    }

    [Fact]
    public async Task A_byte_order_mark_does_not_matter_and_reaches_the_handler()
    {
        await using var api = await Selecting.StartAsync(By("id"));
        using var marked = await api.PostAsync([0xEF, 0xBB, 0xBF, .. """{"id":1}"""u8], "application/json");
        using var plain = await api.PostAsync("""{"id":1}""");
        Assert.Equal(Selecting.KeyOf("1"), await marked.KeyAsync());
        Assert.EndsWith("\uFEFF{\"id\":1}", await marked.TextAsync(), StringComparison.Ordinal);
        Assert.True(plain.IsReplay());
    }

    [Fact]
    public async Task Invalid_UTF_8_is_no_JSON_and_keeps_its_bytes()
    {
        await using var api = await Selecting.StartAsync(By("body"));
        using var one = await api.PostAsync([(byte)'"', 0xFF, (byte)'"'], "application/json");
        using var other = await api.PostAsync([(byte)'"', 0xFE, (byte)'"'], "application/json");
        using var again = await api.PostAsync([(byte)'"', 0xFF, (byte)'"'], "text/plain");
        Assert.Equal(Selecting.KeyOf("\"Iv8i\""), await one.KeyAsync());
        Assert.NotEqual(await one.KeyAsync(), await other.KeyAsync());
        Assert.True(again.IsReplay());
    }

    [Theory]
    [InlineData("id")]
    [InlineData("@")]
    [InlineData("*")]
    [InlineData("body")]
    [InlineData("[body, headers.\"x-absent\"]")]
    [InlineData("keys(@)")]
    [InlineData("values(@)")]
    [InlineData("merge(@, {a: id})")]
    [InlineData("to_string(@)")]
    [InlineData("length(id)")]
    [InlineData("reverse(id)")]
    [InlineData("contains(id, 'x') || id")]
    [InlineData("sort(@.*.to_string(@))")]
    [InlineData("join('-', [id, to_string(@)])")]
    [InlineData("to_number(id) || id")]
    [InlineData("sum([id, id])")]
    [InlineData("max([id, id])")]
    [InlineData("floor(id)")]
    [InlineData("id[0] || id[1:3]")]
    [InlineData("powertools_json(id)")]
    [InlineData("powertools_json(powertools_base64(id))")]
    [InlineData("powertools_base64_gzip(id)")]
    [InlineData("[?id == `1`] | [0] || id")]
    public async Task Whatever_a_client_sends_is_an_answer_and_the_same_again(string expression)
    {
        await using var api = await Selecting.StartAsync(By(expression));
        foreach (var json in new[]
        {
            """{"\ud800":1,"id":2}""", """{"id":{"\udc00":[1]},"b":3}""", """{"id":"\ud800\ud800x"}""", """{"\ud800":"\udfff","\ud800":"x","id":"\ud83d"}""",
            """{"id":1e999999999999999999}""", """{"id":-1e-400}""", """{"id":1E400}""", """{"id":123456789012345678901234567890.000000000001}""", """{"id":-0.0}""",
            """{"id":"H4sIAAAAAAAA"}""", """{"id":"e30="}""", """{"id":"{\"a\":1} x"}""", """{"id":"\u0000"}""", """{"":{"":""},"id":[[],{}]}""", """{"id":true,"id":null,"id":"3"}""",
            $$"""{"id":{{new string('[', 63)}}1{{new string(']', 63)}}}""", $$"""{"id":"{{new string('[', 100)}}"}""", "[1]", "\"\\ud800\"", "1e5", "null", "[]", " ", "\u0000",
        })
        {
            using var first = await api.PostAsync(json);
            using var again = await api.PostAsync(json);
            Assert.True((int)first.StatusCode is 200 or 400, json);
            Assert.Equal(first.StatusCode, again.StatusCode);
            Assert.Equal((int)first.StatusCode == 200, again.IsReplay());
        }
    }

    [Fact]
    public async Task Sixty_four_levels_are_looked_into_and_more_are_not()
    {
        await using var api = await Selecting.StartAsync(By("id"));
        using var deepest = await api.PostAsync(Nested(64));
        using var tooDeep = await api.PostAsync(Nested(65));
        Assert.Equal(Selecting.KeyOf("1"), await deepest.KeyAsync());
        await tooDeep.AssertProblemAsync(400, "idempotency-key-missing", "new-key");

        await using var whole = await Selecting.StartAsync(By("[body, method]"));
        using var first = await whole.PostAsync(Nested(64));
        using var again = await whole.PostAsync(Nested(64).Replace("\"id\":1", " \"id\" : 1", StringComparison.Ordinal));
        using var asText = await whole.PostAsync(Nested(65));
        Assert.Equal(200, (int)first.StatusCode);
        Assert.True(again.IsReplay());
        Assert.Equal(200, (int)asText.StatusCode);

        static string Nested(int levels) => $$"""{"id":1,"in":{{new string('[', levels - 1)}}{{new string(']', levels - 1)}}}""";
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Chunked_bodies_are_bodies(bool kestrel)
    {
        await using var api = await Selecting.StartAsync(By("id"), kestrel: kestrel);
        var large = $$"""{"id":1,"more":"{{new string('x', 100_000)}}"}""";
        using var first = await api.SendAsync(key: null, json: large, with: Chunked);
        using var again = await api.SendAsync(key: null, json: """{"id":1}""", with: Chunked);
        using var empty = await api.SendAsync(key: null, json: "", with: Chunked);
        Assert.EndsWith(large, await first.TextAsync(), StringComparison.Ordinal);
        Assert.True(again.IsReplay());
        await empty.AssertProblemAsync(400, "idempotency-key-missing", "new-key");

        static void Chunked(HttpRequestMessage request) => request.Headers.TransferEncodingChunked = true;
    }

    [Fact]
    public async Task A_body_that_can_be_read_again_is_read_from_its_start_and_left_where_it_stood()
    {
        await using var api = await Selecting.StartAsync(
            By("id") with { KeyRequired = false },
            outer: app => app.Use(async (context, next) =>
            {
                context.Request.EnableBuffering();
                await context.Request.Body.ReadExactlyAsync(new byte[3]);
                await next(context);
            }));
        using var first = await api.PostAsync("""{"id":1}""");
        using var again = await api.PostAsync("""{"id":1.0}""");
        using var without = await api.PostAsync("""{"no":1}""");
        Assert.Equal($"1 {Selecting.KeyOf("1")} d\":1}}", await first.TextAsync());
        Assert.True(again.IsReplay());
        Assert.Equal("2  o\":1}", await without.TextAsync());
    }

    [Fact]
    public async Task Without_the_other_setting_the_whole_request_must_be_equal()
    {
        await using var api = await Selecting.StartAsync(new IdempotencyPolicy { KeySelector = "id" });
        using var first = await api.PostAsync("""{"id":1,"amount":5}""");
        for (var i = 0; i < 3; i++)
        {
            using var again = await api.PostAsync("""{ "amount": 5.0, "id": 1 }""");
            using var sameBytes = await api.PostAsync("""{"id":1,"amount":5}""");
            using var otherAmount = await api.PostAsync("""{"id":1,"amount":500}""");
            using var otherQuery = await api.PostAsync("""{"id":1,"amount":5}""", "/?a=1");
            Assert.True(again.IsReplay());
            Assert.True(sameBytes.IsReplay());
            await otherAmount.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
            await otherQuery.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        }
    }

    [Fact]
    public async Task The_header_is_not_read_where_the_key_is_selected()
    {
        await using var api = await Selecting.StartAsync(By("id") with { ClientCaching = true });
        using var first = await api.SendAsync(key: "one", json: """{"id":1}""");
        using var again = await api.SendAsync(key: "malformed, key", json: """{"id":1}""");
        Assert.Equal(Selecting.KeyOf("1"), await first.KeyAsync());
        Assert.True(again.IsReplay());
        Assert.Null(first.Header("Vary"));
        Assert.Null(again.Header("Vary"));
        Assert.Equal("max-age=86400, private", again.Header("Cache-Control"));
    }

    [Theory]
    [InlineData(IdempotencyKeySource.Header, false)]
    [InlineData(IdempotencyKeySource.Body, false)]
    [InlineData(IdempotencyKeySource.HeaderOrBody, true)]
    public async Task A_header_comes_first_where_either_can_be_the_key(IdempotencyKeySource source, bool header)
    {
        await using var api = await Selecting.StartAsync(By("id") with { KeySource = source, ClientCaching = true });
        using var byHeader = await api.SendAsync(key: "key", json: """{"id":1}""");
        using var selected = await api.PostAsync("""{"id":1}""");
        using var selectedAgain = await api.PostAsync("""{"id":1,"x":1}""");
        using var nothing = await api.PostAsync("{}");
        Assert.Equal(header ? "key" : Selecting.KeyOf("1"), await byHeader.KeyAsync());
        Assert.Equal(Selecting.KeyOf("1"), await selected.KeyAsync());
        Assert.Equal(!header, selected.IsReplay());
        Assert.True(selectedAgain.IsReplay());
        Assert.Equal(header ? "Idempotency-Key" : null, selectedAgain.Header("Vary"));
        await nothing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.Equal(header, (await DetailAsync(nothing)).Contains("Idempotency-Key", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_header_with_the_text_of_a_selected_key_is_another_key()
    {
        await using var api = await Selecting.StartAsync(By("id") with { KeySource = IdempotencyKeySource.HeaderOrBody });
        using var selected = await api.PostAsync("""{"id":1}""");
        using var byHeader = await api.SendAsync(key: Selecting.KeyOf("1"), json: """{"id":1}""");
        Assert.Equal(await selected.KeyAsync(), await byHeader.KeyAsync());
        Assert.False(byHeader.IsReplay());
    }

    [Fact]
    public async Task Users_methods_and_paths_with_the_same_selection_never_meet()
    {
        await using var api = await Selecting.StartAsync(By("id"));
        using var ann = await api.PostAsync("""{"id":1}""", user: "ann");
        using var bob = await api.PostAsync("""{"id":1}""", user: "bob");
        using var anybody = await api.PostAsync("""{"id":1}""");
        using var elsewhere = await api.PostAsync("""{"id":1}""", "/b", "ann");
        using var put = await api.SendAsync(key: null, json: """{"id":1}""", user: "ann", method: HttpMethod.Put);
        using var annAgain = await api.PostAsync("""{"id":1}""", user: "ann");
        Assert.All([ann, bob, anybody, elsewhere, put], response => Assert.False(response.IsReplay()));
        Assert.Equal(5, new HashSet<string> { await ann.TextAsync(), await bob.TextAsync(), await anybody.TextAsync(), await elsewhere.TextAsync(), await put.TextAsync() }.Count);
        Assert.Equal(await ann.TextAsync(), await annAgain.TextAsync());
    }

    [Fact]
    public async Task A_body_over_the_limit_is_refused_before_anything_is_selected()
    {
        await using var api = await Selecting.StartAsync(By("id") with { MaxRequestBodySize = 10 });
        using var response = await api.PostAsync("""{"id":1234567}""");
        await response.AssertProblemAsync(413, "idempotency-body-too-large", "no");
    }

    [Fact]
    public async Task Many_at_once_run_once()
    {
        await using var api = await Selecting.StartAsync(By("id") with { WhenInProgress = InProgressBehavior.Wait });
        var responses = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => api.PostAsync($$"""{"attempt":{{i}},"id":"a"}""")));
        Assert.Equal(19, responses.Count(response => response.IsReplay()));
        Assert.All(responses, response => response.Dispose());
    }

    private static async Task<string> DetailAsync(HttpResponseMessage response) => JsonDocument.Parse(await response.TextAsync()).RootElement.GetProperty("detail").GetString()!;
}
