using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>The key that the browser computes for a payload is the key that the server computes.</summary>
public sealed class CanonicalKeyTests(Chromium chromium)
{
    // Each stands where a payload may have anything: as the value of a member that the handler ignores.
    private static readonly string[] Values =
    [
        "1", "1.0", "1e0", "10e-1", "1E+0", "100", "1e2", "1.00e2", "0", "-0", "0.0", "0e9", "-0.0e-5", "-1.50", "0.010", "1e-2", "1e00000000000002",
        "9007199254740993", "9007199254740992", "9007199254740993.0", "123456789012345678901234567890", "0.1234567890123456789012345678901234567890",
        "1e2147483647", "1e2147483648", "10e2147483647", "1e-2147483648", "1e-2147483649", "0e99999999999", "1e99999999999",
        "\"\"", "\"é\"", "\"\\u00e9\"", "\"\\u00E9\"", "\"e\u0301\"", "\"😀\"", "\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"", "\"\\/\"", "\"/\"", "\"\\u002f\"", "\"\\u0000\\u001F\\u007f\"",
        "\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\u0022\\u005c\\u0008\\u000c\\u000a\\u000d\\u0009\"", "\"\u2028\u2029\uFEFF\uFFFF\"", "\"\\ud800\"", "\"\\ude00\\ud83d\"", "\"\\ud83dx\"",
        "true", "false", "null", "[]", "{}", "[ ]", "{ }", "[1,2]", "[2,1]", "[[[]],{}]", " \t\r\n[ 1 ,\n2 ] ",
        "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}", "{ \"b\" : 1.0 , \"a\" : 2e0 }", "{\"\":1,\"a\":{\"z\":[{\"y\":1,\"x\":2}],\"\":null}}", "{\"a!\":1,\"a \":2,\"a\":3,\"a\\u0000\":4,\"a\\\"\":5}",
        "{\"\uE000\":1,\"😀\":2,\"é\":3,\"z\":4,\"\\ud83d\\ude01\":5}", "{\"B\":1,\"a\":2,\"C\":3,\"10\":4,\"9\":5}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{\"a\":1,\"b\":2,\"a\":3}", "{\"__proto__\":1,\"constructor\":2}",
        Nested(62), Nested(63), ManyUnsorted(),
    ];

    [Fact]
    public async Task Browser_and_server_find_the_same_key_for_every_payload()
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var sample = await Sample.StartAsync(cancellation, environment: new Dictionary<string, string>
        {
            ["Idempotency__Policies__orders__KeySource"] = "Body", // all of it, not only what the sample selects
            ["Idempotency__Policies__orders__KeySelector"] = "",
            ["Idempotency__Policies__orders__FingerprintSelector"] = "",
        });
        await using var context = await chromium.NewContextAsync(800, 600);
        var page = await context.NewPageAsync();
        await page.GotoAsync(sample.Address.ToString());
        using var client = new HttpClient { BaseAddress = sample.Address };

        var seen = new HashSet<string>();
        foreach (var value in Values)
        {
            var payload = $$"""{"x":{{value}},"name":"Ada","amount":1.00,"email":"ada@example.com"}""";
            var inBrowser = await page.EvaluateAsync<string>("async text => (await import('/canonical-json.js')).keyOf(text)", payload);
            using var body = new StringContent(payload, Encoding.UTF8, "application/json");
            using var response = await client.PostAsync(new Uri("/orders", UriKind.Relative), body, cancellation);
            var answer = await response.Content.ReadFromJsonAsync<JsonElement>(cancellation);

            Assert.True(response.IsSuccessStatusCode, $"{payload}: {answer}");
            Assert.True(answer.GetProperty("key").GetString() == inBrowser, $"{payload}: {answer.GetProperty("key")} on the server, {inBrowser} in the browser");
            seen.Add(inBrowser);
        }

        Assert.Contains(seen, key => key.StartsWith("raw-", StringComparison.Ordinal)); // both fall back to the bytes, and agree there too
        Assert.True(seen.Count > 40, $"Only {seen.Count} different keys: the payloads are told apart too little.");
    }

    [Fact]
    public async Task The_browser_writes_the_documented_form_and_none_for_what_has_none()
    {
        (string Text, string? Form)[] expected =
        [
            ("""{"b":[1.50,-0],"a":"\u00e9\/\u001F"}""", """{"a":"é/\u001f","b":[15e-1,0]}"""),
            (" 100\n", "1e2"),
            (Nested(64), Nested(64)),
            (Nested(65), null),
            ("""{"a":1,"a":1}""", null),
            ("[1,]", null),
            ("[01]", null),
            ("[1.]", null),
            ("[1] 2", null),
            ("\"\t\"", null),
            ("\uFEFF[1]", null),
            ("", null),
        ];
        using var sample = await Sample.StartAsync(TestContext.Current.CancellationToken);
        await using var context = await chromium.NewContextAsync(800, 600);
        var page = await context.NewPageAsync();
        await page.GotoAsync(sample.Address.ToString());

        foreach (var (text, form) in expected)
        {
            Assert.Equal(form, await page.EvaluateAsync<string?>("async text => (await import('/canonical-json.js')).canonicalize(text)", text));
        }
    }

    private static string ManyUnsorted() => $"{{{string.Join(',', Enumerable.Range(0, 40).Select(i => $"\"{40 - i}\":{i + 1}00"))}}}";

    private static string Nested(int depth) => new string('[', depth) + new string(']', depth);
}
