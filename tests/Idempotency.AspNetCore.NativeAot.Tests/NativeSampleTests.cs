using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Idempotency.AspNetCore.NativeAot.Tests;

/// <summary>The library as native code: what the sample's publish says of it, and what its clients see.</summary>
public sealed class NativeSampleTests(PublishedSample sample) : IClassFixture<PublishedSample>
{
    private const string Payment = """{"name":"Ada Lovelace","amount":42.50}""";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Publishing_it_gives_no_warning()
    {
        Assert.DoesNotMatch(@"(?i)\b(warning|error)\b", sample.Output);
        Assert.Contains("Generating native code", sample.Output, StringComparison.Ordinal); // or nothing was compiled
    }

    [Fact]
    public void It_is_one_native_program() => Assert.DoesNotContain(sample.Files, file => file.EndsWith(".dll", StringComparison.Ordinal));

    [Fact]
    public async Task A_retry_gets_the_first_response_again()
    {
        var key = NewKey();
        using var first = await PostAsync("/payments", key);
        using var retry = await PostAsync("/payments", key, """{ "amount": 4.25e1, "name": "Ada Lovelace" }""");
        Assert.Equal((HttpStatusCode.Created, false), (first.StatusCode, IsReplay(first)));
        Assert.Equal((HttpStatusCode.Created, true), (retry.StatusCode, IsReplay(retry)));
        Assert.Equal(first.Headers.Location, retry.Headers.Location);
        Assert.Equal(first.Headers.ETag, retry.Headers.ETag);
        var (paid, replayed) = (await JsonAsync(first), await JsonAsync(retry));
        Assert.True((bool)replayed["serverCacheHit"]!);
        replayed.Remove("serverCacheHit");
        Assert.True(JsonNode.DeepEquals(paid, replayed), $"{paid}\n{replayed}");
        Assert.Equal(1, await ExecutionsAsync(paid));
    }

    [Fact]
    public async Task Of_two_at_once_one_runs_and_the_other_is_told_to_come_back()
    {
        // Two that do not meet are a first and a replay; then the next two run for longer.
        for (var delay = 250; delay <= 64_000; delay *= 2)
        {
            var key = NewKey();
            var both = await Task.WhenAll(PostAsync($"/payments?delay={delay}", key), PostAsync($"/payments?delay={delay}", key));
            Assert.Single(both, response => response.StatusCode == HttpStatusCode.Created && !IsReplay(response));
            if (both.SingleOrDefault(response => response.StatusCode == HttpStatusCode.Conflict) is { } rejected)
            {
                await AssertProblemAsync(rejected, "idempotency-request-in-progress", "same-key");
                Assert.Equal(TimeSpan.FromSeconds(1), rejected.Headers.RetryAfter?.Delta);
                return;
            }
        }

        Assert.Fail("No two requests met.");
    }

    [Fact]
    public async Task A_key_that_was_used_for_another_request_is_rejected()
    {
        var key = NewKey();
        using var first = await PostAsync("/payments", key);
        using var other = await PostAsync("/payments", key, Payment.Replace("42.50", "43", StringComparison.Ordinal));
        Assert.Equal((HttpStatusCode)422, other.StatusCode);
        await AssertProblemAsync(other, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public async Task A_missing_key_is_rejected()
    {
        using var response = await PostAsync("/payments", key: null);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        await AssertProblemAsync(response, "idempotency-key-missing", "new-key");
    }

    [Fact]
    public async Task A_function_runs_once_for_each_message()
    {
        var message = $"/messages/{Guid.NewGuid()}";
        using var first = await PostAsync(message, key: null);
        using var again = await PostAsync(message, key: null);
        using var other = await PostAsync($"/messages/{Guid.NewGuid()}", key: null);
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        var paid = await JsonAsync(first);
        Assert.True(JsonNode.DeepEquals(paid, await JsonAsync(again)));
        Assert.False(JsonNode.DeepEquals(paid, await JsonAsync(other)));
        Assert.Equal(1, await ExecutionsAsync(paid));
    }

    [Fact]
    public async Task A_step_that_is_recorded_does_not_run_again()
    {
        var key = NewKey();
        var welcomes = await WelcomesAsync();
        using var failed = await PostAsync("/subscriptions?failures=1", key);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, failed.StatusCode);
        var charges = await ChargesAsync();
        using var retry = await PostAsync("/subscriptions?failures=1", key);
        using var again = await PostAsync("/subscriptions?failures=1", key);
        Assert.Equal((HttpStatusCode.Created, false), (retry.StatusCode, IsReplay(retry)));
        Assert.True(IsReplay(again));
        Assert.Equal(2, (int)(await JsonAsync(retry))["attempt"]!);
        Assert.Equal((charges, welcomes + 1), (await ChargesAsync(), await WelcomesAsync()));
    }

    [Fact]
    public async Task With_Redis_a_retry_is_replayed_by_another_process()
    {
        var redis = new RedisServer();
        await using var _ = redis;
        await redis.InitializeAsync();
        var key = NewKey();
        string first;
        using (var server = await sample.StartAsync(redis.Configuration))
        {
            using var response = await PostAsync("/payments", key, client: server.Client);
            Assert.Equal(HttpStatusCode.Created, response.StatusCode);
            first = response.Headers.Location!.ToString();
            using var failed = await PostAsync("/subscriptions?failures=1", key, client: server.Client);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, failed.StatusCode);
        }

        using (var server = await sample.StartAsync(redis.Configuration))
        {
            using var retry = await PostAsync("/payments", key, client: server.Client);
            Assert.True(IsReplay(retry));
            Assert.Equal(first, retry.Headers.Location!.ToString());
            using var resumed = await PostAsync("/subscriptions?failures=1", key, client: server.Client);
            Assert.Equal(HttpStatusCode.Created, resumed.StatusCode);
            Assert.Empty((await LedgerAsync(server.Client))["payments"]!.AsArray()); // the charge is the one that the process before recorded
        }
    }

    private static string NewKey() => Guid.NewGuid().ToString();

    private static bool IsReplay(HttpResponseMessage response) => response.Headers.Contains("Idempotent-Replayed");

    private static async Task<JsonObject> JsonAsync(HttpResponseMessage response) => JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancellation))!.AsObject();

    private static async Task AssertProblemAsync(HttpResponseMessage response, string code, string retry)
    {
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.True(response.Headers.CacheControl?.NoStore);
        var problem = await JsonAsync(response);
        Assert.Equal(
            ($"urn:problem-type:{code}", (int)response.StatusCode, code, retry),
            ((string?)problem["type"], (int?)problem["status"], (string?)problem["code"], (string?)problem["retry"]));
    }

    private async Task<HttpResponseMessage> PostAsync(string path, string? key, string json = Payment, HttpClient? client = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return await (client ?? sample.Client).SendAsync(request, Cancellation);
    }

    private async Task<JsonObject> LedgerAsync(HttpClient? client = null) => JsonNode.Parse(await (client ?? sample.Client).GetStringAsync("/payments", Cancellation))!.AsObject();

    private async Task<int> ExecutionsAsync(JsonObject payment) => (await LedgerAsync())["payments"]!.AsArray().Count(one => (string?)one!["id"] == (string?)payment["id"]);

    private async Task<int> ChargesAsync() => (await LedgerAsync())["payments"]!.AsArray().Count(one => (string?)one!["kind"] == "subscription");

    private async Task<int> WelcomesAsync() => (int)(await LedgerAsync())["welcomes"]!;
}
