namespace Idempotency.AspNetCore.Tests;

/// <summary>Request headers that are part of the fingerprint, and what <c>Vary</c> says of them.</summary>
public sealed class FingerprintHeaderTests
{
    private static Task<Api> StartAsync(IdempotencyPolicy policy) => Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(policy), services: services => services.AddIdempotency().AddJmesPath());

    private static Task<HttpResponseMessage> SendAsync(Api api, string? version, string name = "X-Api-Version", string json = "{}") => api.SendAsync(json: json, with: request =>
    {
        if (version is not null)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, version));
        }
    });

    [Theory]
    [InlineData(RequestFingerprintMode.ExactJson, null)]
    [InlineData(RequestFingerprintMode.Raw, null)]
    [InlineData(RequestFingerprintMode.None, null)]
    [InlineData(RequestFingerprintMode.ExactJson, "method")]
    public async Task Another_value_is_another_request(RequestFingerprintMode mode, string? selector)
    {
        await using var api = await StartAsync(new IdempotencyPolicy { Fingerprint = mode, FingerprintSelector = selector, FingerprintHeaders = ["x-api-VERSION"] });
        using var first = await SendAsync(api, "1");
        for (var i = 0; i < 2; i++)
        {
            using var same = await SendAsync(api, "1", "X-API-Version");
            using var other = await SendAsync(api, "2");
            using var without = await SendAsync(api, null);
            using var empty = await SendAsync(api, "");
            Assert.True(same.IsReplay());
            await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
            await without.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
            await empty.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        }
    }

    [Fact]
    public async Task A_missing_header_is_not_an_empty_one()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(new IdempotencyPolicy { FingerprintHeaders = ["X-Api-Version"] }), kestrel: true);
        using var first = await SendAsync(api, null);
        using var same = await SendAsync(api, null);
        using var empty = await SendAsync(api, "");
        Assert.True(same.IsReplay());
        await empty.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public async Task The_lines_of_a_header_count_in_order()
    {
        await using var api = await StartAsync(new IdempotencyPolicy { FingerprintHeaders = ["X-Tag"] });
        Task<HttpResponseMessage> Tagged(params string[] lines) => api.SendAsync(with: request => request.Headers.Add("X-Tag", lines));
        using var first = await Tagged("a", "b");
        using var same = await Tagged("a", "b");
        using var joined = await Tagged("a, b"); // as a proxy may make of it
        using var turned = await Tagged("b", "a");
        using var one = await Tagged("a");
        Assert.True(same.IsReplay());
        Assert.True(joined.IsReplay());
        await turned.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        await one.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public async Task A_value_cannot_move_from_one_header_to_another()
    {
        await using var api = await StartAsync(new IdempotencyPolicy { FingerprintHeaders = ["X-A", "X-B"] });
        using var first = await SendAsync(api, "1", "X-A");
        using var moved = await SendAsync(api, "1", "X-B");
        await moved.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public async Task The_order_in_the_policy_and_a_name_given_twice_do_not_matter()
    {
        var context = new DefaultHttpContext { Request = { Headers = { ["A"] = "1", ["B"] = "2" } } };
        Fingerprint Of(params string[] headers)
        {
            Assert.True(PolicySelectors.Of(new IdempotencyPolicy { FingerprintHeaders = headers }, null, "").TryFingerprint(context, new(), default, out var fingerprint, out _));
            return fingerprint;
        }

        await Task.CompletedTask;
        Assert.Equal(Of("A", "B"), Of("b", "A", "a"));
        Assert.NotEqual(Of("A", "B"), Of("A"));
        Assert.NotEqual(Of(), Of("A"));
    }

    [Fact]
    public async Task An_attribute_names_them_too()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", [Idempotent(FingerprintHeaders = ["X-Api-Version"])] () => "x"));
        using var first = await SendAsync(api, "1");
        using var other = await SendAsync(api, "2");
        await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public async Task Other_headers_do_not_count()
    {
        await using var api = await StartAsync(new IdempotencyPolicy());
        using var first = await SendAsync(api, "1");
        using var other = await SendAsync(api, "2");
        Assert.True(other.IsReplay());
    }

    [Theory]
    [InlineData(null, null, "Idempotency-Key | X-Api-Version")]
    [InlineData("headers.\"x-refund-id\"", null, "X-Api-Version | x-refund-id")]
    [InlineData("[headers.\"x-refund-id\", body.id]", "{a: headers.\"x-a\" || headers.\"x-b\", k: body}", "X-Api-Version | x-refund-id | x-a | x-b")]
    [InlineData("let $h = headers in [$h.\"x-refund-id\", (headers | [\"x-i\"])]", null, "X-Api-Version | x-refund-id | x-i")]
    [InlineData("[headers, body]", null, "X-Api-Version")] // which headers it reads is not to be seen
    [InlineData("id", "headers.x", "X-Api-Version | x")]
    public async Task Vary_names_the_headers_that_decide(string? key, string? fingerprint, string vary)
    {
        await using var api = await StartAsync(new IdempotencyPolicy { KeySelector = key, FingerprintSelector = fingerprint, FingerprintHeaders = ["X-Api-Version"], ClientCaching = true });
        for (var i = 0; i < 2; i++)
        {
            using var response = await api.SendAsync(json: """{"id":1}""", with: request => request.Headers.Add("X-Refund-Id", "r"));
            Assert.Equal(vary, response.Header("Vary"));
            Assert.Equal(i > 0, response.IsReplay());
        }
    }
}
