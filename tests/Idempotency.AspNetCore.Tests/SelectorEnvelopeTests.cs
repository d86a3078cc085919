using System.IO.Compression;
using System.Security.Claims;
using System.Text;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What of a request an expression can name.</summary>
public sealed class SelectorEnvelopeTests
{
    private static Task<Api> StartAsync(string selector, Action<WebApplication>? outer = null, bool kestrel = false) =>
        Selecting.StartAsync(new IdempotencyPolicy { KeySelector = selector, Fingerprint = RequestFingerprintMode.None }, outer, kestrel);

    [Theory]
    [InlineData("[transaction_id, user_id]", """["t",7]""")]
    [InlineData("body.[transaction_id, user_id]", """["t",7]""")]
    [InlineData("body.user_id", "7")]
    [InlineData("powertools_json(body).user_id", "7")]
    [InlineData("powertools_json(body).[user_id, transaction_id]", """[7,"t"]""")]
    [InlineData("headers.\"idempotency-key\"", "\"key-1\"")]
    [InlineData("headers.\"x-two\"", "\"one, two\"")]
    [InlineData("headers.\"content-type\"", "\"application/json\"")]
    [InlineData("query.a", "\"1\"")]
    [InlineData("query.b", """["2","3"]""")]
    [InlineData("query.empty", "\"\"")]
    [InlineData("query.\"c d\"", "\"é&\"")]
    [InlineData("route.id", "\"17\"")]
    [InlineData("route.place", "\"a b\"")]
    [InlineData("[method, path]", """["POST","/base/orders/17/a b"]""")]
    [InlineData("user.sub", "\"ann\"")]
    [InlineData("user.role", """["x","y"]""")]
    [InlineData("user.\"http://schemas.example/o'brien\"", "\"z\"")]
    [InlineData("[user.sub, body.transaction_id, headers.\"x-two\"]", """["ann","t","one, two"]""")]
    [InlineData("{who: user.sub, what: body}", """{"what":{"transaction_id":"t","user_id":7},"who":"ann"}""")]
    public async Task Every_part_of_a_request_can_be_named(string selector, string selected)
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/orders/{id:int}/{place}", (HttpContext context) => Results.Text($"1 {context.Features.Get<IIdempotencyFeature>()!.Key}"))
                .WithIdempotency(new IdempotencyPolicy { KeySelector = selector }),
            services: services => services.AddIdempotency().AddJmesPath(),
            outer: app =>
            {
                app.Use((context, next) =>
                {
                    context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", "ann"), new Claim("role", "x"), new Claim("role", "y"), new Claim("http://schemas.example/o'brien", "z")], "test"));
                    return next(context);
                });
                app.UsePathBase("/base").UseRouting();
            });
        using var response = await api.SendAsync("/base/orders/17/a%20b?a=1&b=2&b=3&empty=&c%20d=%C3%A9%26", json: """{"transaction_id":"t","user_id":7}""", with: request =>
        {
            request.Headers.Add("X-Two", "one");
            request.Headers.Add("X-Two", "two");
        });
        Assert.Equal(Selecting.KeyOf(selected), await response.KeyAsync());
    }

    [Theory]
    [InlineData("headers.\"x-absent\"")]
    [InlineData("headers.\"Idempotency-Key\"")]
    [InlineData("query.absent")]
    [InlineData("query.A")]
    [InlineData("route.absent")]
    [InlineData("user")]
    [InlineData("user.sub")]
    [InlineData("[user.sub, headers.\"x-absent\", body.absent]")]
    public async Task What_is_absent_is_a_missing_key(string selector)
    {
        await using var api = await StartAsync(selector);
        using var response = await api.SendAsync("/?a=1");
        await response.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
    }

    [Fact]
    public async Task Field_lines_of_one_name_are_one_text_on_a_real_server_too()
    {
        await using var api = await StartAsync("headers.\"x-two\"", kestrel: true);
        using var lines = await api.PostAsync("{}", with: request => request.Headers.Add("X-Two", ["one", "two"]));
        using var line = await api.PostAsync("{}", with: request => request.Headers.Add("x-tWO", "one, two"));
        Assert.Equal(Selecting.KeyOf("\"one, two\""), await lines.KeyAsync());
        Assert.True(line.IsReplay());
    }

    [Fact]
    public async Task Claims_that_nobody_has_authenticated_are_not_there()
    {
        await using var api = await StartAsync("user.sub", outer: app => app.Use((context, next) =>
        {
            context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", "ann")])); // without an authentication type
            return next(context);
        }));
        using var response = await api.PostAsync("{}");
        await response.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
    }

    [Theory]
    [InlineData("""{"headers":{"x-id":"1"},"user":{"sub":"ann"},"body":{"id":1},"id":2}""")]
    [InlineData("""null,"headers":{"x-id":"1"},"user":{"sub":"ann"}""")]
    [InlineData("""1},"user":{"sub":"ann"},"headers":{"x-id":"1"}""")]
    [InlineData("""{},"body":{"id":1}""")]
    public async Task A_body_cannot_add_to_the_envelope(string body)
    {
        await using var api = await StartAsync("[user.sub, headers.\"x-id\", body.id]");
        using var response = await api.PostAsync(body);
        if (body.EndsWith("\"id\":2}", StringComparison.Ordinal))
        {
            Assert.Equal(Selecting.KeyOf("[null,null,2]"), await response.KeyAsync());
        }
        else
        {
            await response.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        }
    }

    [Fact]
    public async Task Members_of_a_body_that_share_a_name_with_the_envelope_are_reached_through_it()
    {
        await using var api = await StartAsync("body.[user, path]");
        using var response = await api.PostAsync("""{"user":"u","path":"p"}""");
        Assert.Equal(Selecting.KeyOf("""["u","p"]"""), await response.KeyAsync());
    }

    [Fact]
    public async Task Encoded_texts_are_read_through()
    {
        const string Json = """{"user_id":7}""";
        var base64 = Convert.ToBase64String(Encoding.UTF8.GetBytes(Json));
        await using var api = await StartAsync("powertools_json(powertools_base64(body)).user_id");
        using var text = await api.PostAsync(Encoding.ASCII.GetBytes(base64), "text/plain");
        using var again = await api.PostAsync(Encoding.ASCII.GetBytes(Convert.ToBase64String("""{ "user_id": 7.0 }"""u8)), "application/json");
        using var notEncoded = await api.PostAsync("no base64 !"u8.ToArray(), "text/plain");
        using var noJson = await api.PostAsync(Encoding.ASCII.GetBytes(Convert.ToBase64String("no json"u8)), "text/plain");
        using var none = await api.PostAsync(json: null);
        Assert.Equal(Selecting.KeyOf("7"), await text.KeyAsync());
        Assert.True(again.IsReplay());
        await notEncoded.AssertProblemAsync(400, "idempotency-key-invalid", "new-key");
        await noJson.AssertProblemAsync(400, "idempotency-key-invalid", "new-key");
        await none.AssertProblemAsync(400, "idempotency-key-missing", "new-key");

        using var zipped = new MemoryStream();
        using (var gzip = new GZipStream(zipped, CompressionMode.Compress, leaveOpen: true))
        {
            gzip.Write(Encoding.UTF8.GetBytes(Json));
        }

        await using var compressed = await StartAsync("powertools_json(powertools_base64_gzip(body)).user_id");
        using var asText = await compressed.PostAsync(Encoding.ASCII.GetBytes(Convert.ToBase64String(zipped.ToArray())), "text/plain");
        using var asBytes = await compressed.PostAsync(zipped.ToArray(), "application/gzip"); // no UTF-8: in base64 already
        Assert.Equal(Selecting.KeyOf("7"), await asText.KeyAsync());
        Assert.True(asBytes.IsReplay());
    }

    [Fact]
    public async Task A_text_is_the_same_key_whether_it_comes_as_JSON_or_not()
    {
        await using var api = await StartAsync("powertools_json(body).user_id");
        using var json = await api.PostAsync("""{"user_id":7}""");
        using var text = await api.PostAsync("""{"user_id":7}"""u8.ToArray(), "text/plain");
        Assert.Equal(Selecting.KeyOf("7"), await json.KeyAsync());
        Assert.True(text.IsReplay());
    }
}
