using System.Net.Http.Headers;
using System.Reflection;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Http;

namespace Idempotency.Http.Tests;

/// <summary>What an answer says about idempotency, in types.</summary>
public sealed class ResultTests
{
    private static HttpResponseMessage Response(int status, string? problem = null, bool hasKey = true, params (string Name, string Value)[] headers)
    {
        var response = new HttpResponseMessage((HttpStatusCode)status) { RequestMessage = new HttpRequestMessage(HttpMethod.Post, "https://service.example/") };
        if (hasKey)
        {
            response.RequestMessage.SetIdempotencyKey("order-7");
        }

        if (problem is not null)
        {
            response.Content = new StringContent(problem, MediaTypeHeaderValue.Parse("application/problem+json; charset=utf-8"));
        }

        foreach (var (name, value) in headers)
        {
            Assert.True(response.Headers.TryAddWithoutValidation(name, value));
        }

        return response;
    }

    /// <summary>Every problem there is in the server's library: a new one does not go unnoticed here.</summary>
    private static IReadOnlyList<IdempotencyProblem> Problems() => IdempotencyProblem.All;

    /// <summary>The very bytes and headers that the server's library writes.</summary>
    private static async Task<HttpResponseMessage> WrittenByServerAsync(IdempotencyProblem problem, bool withService)
    {
        var services = new ServiceCollection();
        services.AddIdempotency();
        if (withService)
        {
            services.AddProblemDetails();
        }

        await using var provider = services.BuildServiceProvider();
        var body = new MemoryStream();
        var context = new DefaultHttpContext { RequestServices = provider, Response = { Body = body } };
        await provider.GetRequiredService<Rejections>().RejectAsync(context, problem);
        await context.Response.BodyWriter.FlushAsync();
        var response = Response(context.Response.StatusCode);
        response.Content = new StreamContent(new OneTimeStream(body.ToArray()));
        foreach (var (name, values) in context.Response.Headers)
        {
            if (!response.Headers.TryAddWithoutValidation(name, [.. values]))
            {
                response.Content.Headers.TryAddWithoutValidation(name, [.. values]);
            }
        }

        return response;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_problem_of_the_server_is_known(bool withService)
    {
        var constants = typeof(IdempotencyProblemCodes).GetFields().Select(field => (string)field.GetRawConstantValue()!).ToHashSet();
        foreach (var problem in Problems())
        {
            using var response = await WrittenByServerAsync(problem, withService);
            var result = await response.ReadIdempotencyResultAsync();
            Assert.Equal(problem.Code, result.ProblemCode);
            Assert.Contains(problem.Code, constants);
            Assert.Equal(problem.Retry, result.Advice switch { IdempotencyRetryAdvice.SameKey => "same-key", IdempotencyRetryAdvice.NewKey => "new-key", IdempotencyRetryAdvice.No => "no", _ => "" });
            Assert.Equal(problem.RetryAfterSeconds, result.RetryAfter?.TotalSeconds);
            Assert.False(result.WasReplayed);
            Assert.Contains(problem.Title, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.Equal(constants.Order(), Problems().Select(problem => problem.Code).Distinct().Order());
    }

    [Fact]
    public void The_names_of_the_headers_are_the_servers()
    {
        Assert.Equal(IdempotencyHeaders.Replayed, IdempotencyHeaderNames.Replayed);
        Assert.Equal(IdempotencyHeaders.Stored, IdempotencyHeaderNames.Stored);
        Assert.Equal(IdempotencyHeaderNames.Key, new IdempotencyPolicy().HeaderName);
    }

    [Fact]
    public async Task Tells_the_advice_by_the_code_when_the_member_is_missing()
    {
        foreach (var problem in Problems())
        {
            using var told = Response(problem.Status, $$"""{"code":"{{problem.Code}}","retry":"{{problem.Retry}}"}""");
            using var untold = Response(problem.Status, $$"""{"code":"{{problem.Code}}"}""");
            Assert.Equal((await told.ReadIdempotencyResultAsync()).Advice, (await untold.ReadIdempotencyResultAsync()).Advice);
        }
    }

    [Theory]
    [InlineData("""{"code":"a"}""", "a")]
    [InlineData("""{"type":"urn:problem-type:a"}""", "a")]
    [InlineData("""{"type":"urn:problem-type:a","code":"b"}""", "b")]
    [InlineData("""{"code":7,"type":"urn:problem-type:a"}""", "a")]
    [InlineData("""{"errors":{"code":["inner"]},"list":[{"code":"inner"}],"code":"outer"}""", "outer")]
    [InlineData("""{"type":"https://example.com/problems/a"}""", null)]
    [InlineData("""{"title":"Not found"}""", null)]
    [InlineData("{}", null)]
    [InlineData("[]", null)]
    [InlineData("", null)]
    [InlineData("\"code\"", null)]
    [InlineData("{\"code\":\"a\"", null)]
    [InlineData("{\"code\":\"\\ud800\"}", null)]
    [InlineData("<html>", null)]
    public async Task Reads_the_code_of_any_problem_and_nothing_from_gibberish(string json, string? code)
    {
        using var response = Response(409, json);
        Assert.Equal(code, (await response.ReadIdempotencyResultAsync()).ProblemCode);
        Assert.Equal(json, await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(200, null, true, "", IdempotencyRetryAdvice.NotNeeded)]
    [InlineData(201, null, true, "Idempotent-Replayed: true", IdempotencyRetryAdvice.NotNeeded)]
    [InlineData(201, null, true, "Idempotency-Stored: false", IdempotencyRetryAdvice.NotNeeded)]
    [InlineData(303, null, true, "", IdempotencyRetryAdvice.NotNeeded)]
    [InlineData(200, null, false, "", IdempotencyRetryAdvice.NotNeeded)]
    [InlineData(408, null, true, "", IdempotencyRetryAdvice.SameKey)]
    [InlineData(425, null, true, "", IdempotencyRetryAdvice.SameKey)]
    [InlineData(429, null, true, "", IdempotencyRetryAdvice.SameKey)]
    [InlineData(500, null, true, "", IdempotencyRetryAdvice.SameKey)]
    [InlineData(502, null, true, "", IdempotencyRetryAdvice.SameKey)]
    [InlineData(503, null, true, "", IdempotencyRetryAdvice.SameKey)]
    [InlineData(504, null, true, "", IdempotencyRetryAdvice.SameKey)]
    [InlineData(503, null, false, "", IdempotencyRetryAdvice.No)]
    [InlineData(503, null, true, "Idempotency-Stored: false", IdempotencyRetryAdvice.No)]
    [InlineData(500, null, true, "Idempotent-Replayed: true", IdempotencyRetryAdvice.No)]
    [InlineData(404, null, true, "Idempotent-Replayed: true", IdempotencyRetryAdvice.NewKey)]
    [InlineData(429, null, true, "Idempotent-Replayed: true", IdempotencyRetryAdvice.NewKey)]
    [InlineData(400, null, true, "", IdempotencyRetryAdvice.NewKey)]
    [InlineData(409, null, true, "", IdempotencyRetryAdvice.NewKey)]
    [InlineData(409, """{"code":"out-of-stock","retry":"same-key"}""", true, "", IdempotencyRetryAdvice.NewKey)]
    [InlineData(501, null, true, "", IdempotencyRetryAdvice.No)]
    public async Task Says_what_to_do(int status, string? problem, bool hasKey, string header, IdempotencyRetryAdvice advice)
    {
        using var response = Response(status, problem, hasKey);
        if (header.Split(": ") is [var name, var value])
        {
            response.Headers.Add(name, value);
        }

        var result = await response.ReadIdempotencyResultAsync();
        Assert.Equal(advice, result.Advice);
        Assert.Equal(header == "Idempotent-Replayed: true", result.WasReplayed);
        Assert.Equal(header == "Idempotency-Stored: false", result.NotStored);
        Assert.Equal(hasKey ? "order-7" : null, result.Key);
    }

    [Theory]
    [InlineData("Idempotent-Replayed", "false")]
    [InlineData("Idempotent-Replayed", "")]
    [InlineData("Idempotency-Stored", "true")]
    public async Task A_mark_that_says_no_is_none(string name, string value)
    {
        using var response = Response(200, headers: (name, value));
        var result = await response.ReadIdempotencyResultAsync();
        Assert.False(result.WasReplayed);
        Assert.False(result.NotStored);
    }

    [Theory]
    [InlineData("7", 7d)]
    [InlineData("Tue, 01 Jan 2030 00:00:09 GMT", 9d)]
    [InlineData("Mon, 31 Dec 2029 00:00:00 GMT", 0d)]
    [InlineData("soon", null)]
    [InlineData(null, null)]
    public async Task Says_how_long_to_wait(string? retryAfter, double? seconds)
    {
        using var response = Response(503, headers: [("Date", "Tue, 01 Jan 2030 00:00:00 GMT"), .. retryAfter is null ? [] : new[] { ("Retry-After", retryAfter) }]);
        Assert.Equal(seconds, (await response.ReadIdempotencyResultAsync()).RetryAfter?.TotalSeconds);
    }

    [Fact]
    public async Task A_problem_stays_readable_in_every_way()
    {
        const string Json = """{"code":"idempotency-key-reused"}""";
        Func<HttpContent>[] bodies =
        [
            () => new StringContent(Json),
            () => new StreamContent(new OneTimeStream(Json)),
            () => new StreamContent(new OneTimeStream(Json)) { Headers = { ContentLength = Json.Length } },
        ];
        foreach (var body in bodies)
        {
            using var response = Response(422);
            response.Content = body();
            response.Content.Headers.ContentType = new MediaTypeHeaderValue("application/problem+json");
            for (var time = 0; time < 2; time++)
            {
                Assert.Equal(IdempotencyProblemCodes.KeyReused, (await response.ReadIdempotencyResultAsync()).ProblemCode);
            }

            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            Assert.Equal(Json, await reader.ReadToEndAsync());
            Assert.Equal(IdempotencyProblemCodes.KeyReused, (await response.ReadIdempotencyResultAsync()).ProblemCode);
            Assert.Equal(Json, await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_problem_too_long_to_be_one_is_left_in_its_place_whole()
    {
        var json = $$"""{"code":"idempotency-key-reused","detail":"{{new string('x', 100_000)}}"}""";
        foreach (var length in new long?[] { null, json.Length })
        {
            using var response = Response(422);
            response.Content = new StreamContent(new OneTimeStream(json)) { Headers = { ContentType = new("application/problem+json"), ContentLength = length } };
            Assert.Null((await response.ReadIdempotencyResultAsync()).ProblemCode);
            Assert.Equal(json, await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task Other_bodies_are_not_touched()
    {
        using var stream = new OneTimeStream("""{"code":"idempotency-key-reused"}""");
        using var response = Response(422);
        var content = response.Content = new StreamContent(stream) { Headers = { ContentType = new("application/json") } };
        Assert.Null((await response.ReadIdempotencyResultAsync()).ProblemCode);
        Assert.Equal(0, stream.Reads);
        Assert.Same(content, response.Content);
    }

    [Fact]
    public async Task An_answer_from_nowhere_has_a_result_too()
    {
        using var response = new HttpResponseMessage(HttpStatusCode.OK);
        Assert.Null((await response.ReadIdempotencyResultAsync()).Key);
    }
}
