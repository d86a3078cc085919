namespace Idempotency.AspNetCore.Tests;

/// <summary>The same key with another request is refused; the same request, however it is written, is not.</summary>
public sealed class FingerprintTests
{
    private static Task<Api> StartAsync(RequestFingerprintMode mode = RequestFingerprintMode.ExactJson, bool kestrel = false)
    {
        var runs = 0;
        return Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            Interlocked.Increment(ref runs);
            using var reader = new StreamReader(context.Request.Body);
            return await reader.ReadToEndAsync();
        }).WithIdempotency(new IdempotencyPolicy { Fingerprint = mode }), kestrel: kestrel);
    }

    [Theory]
    [InlineData("""{"a":1,"b":[true,null,"x"]}""", """ { "b" : [ true , null , "x" ] , "a" : 1 } """)]
    [InlineData("""{"a":1}""", """{"a":1.0}""")]
    [InlineData("""{"a":1}""", """{"a":10e-1}""")]
    [InlineData("""{"a":100}""", """{"a":1E+2}""")]
    [InlineData("""{"a":-0}""", """{"a":0.0e99}""")]
    [InlineData("""{"a":"é😀\n"}""", """{"\u0061":"\u00e9\ud83d\ude00\u000a"}""")]
    [InlineData("""{"a":"/"}""", """{"a":"\/"}""")]
    [InlineData("""{"a":{"y":1,"x":{"d":1,"c":2}}}""", """{"a":{"x":{"c":2,"d":1},"y":1}}""")]
    public async Task The_same_JSON_is_the_same_request(string one, string other)
    {
        await using var api = await StartAsync();
        using var first = await api.SendAsync(json: one);
        using var replay = await api.SendAsync(json: other, with: request => request.Content!.Headers.ContentType = new("application/json", "utf-8"));
        Assert.True(replay.IsReplay());
    }

    [Theory]
    [InlineData("""{"a":1}""", """{"a":2}""")]
    [InlineData("""{"a":9007199254740993}""", """{"a":9007199254740992}""")]
    [InlineData("""{"a":0.1}""", """{"a":0.10000000000000000000000000000000000001}""")]
    [InlineData("""{"a":1e400}""", """{"a":1e401}""")]
    [InlineData("""{"a":"1"}""", """{"a":1}""")]
    [InlineData("""{"a":[1,2]}""", """{"a":[2,1]}""")]
    [InlineData("""{"a":null}""", """{}""")]
    [InlineData("""{"a":1}""", """{"A":1}""")]
    [InlineData("""{"a":1,"a":2}""", """{"a":2,"a":1}""")]
    [InlineData("""{"a":1,"a":1}""", """{"a":1}""")]
    [InlineData("""{"a":"\ud800"}""", """{"a":"\ud801"}""")]
    [InlineData("""{"a":1}""", """{"a":1} x""")]
    [InlineData("", "{}")]
    [InlineData("{}", "[]")]
    public async Task Other_JSON_is_another_request(string one, string other)
    {
        await using var api = await StartAsync();
        using var first = await api.SendAsync(json: one);
        using var reused = await api.SendAsync(json: other);
        await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        // However often it was replayed: retries that are the same to the byte take a shorter way.
        for (var i = 0; i < 3; i++)
        {
            using var retry = await api.SendAsync(json: one);
            using var again = await api.SendAsync(json: other);
            Assert.True(retry.IsReplay());
            await again.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        }
    }

    [Fact]
    public async Task The_same_bytes_are_another_request_where_another_mode_is_in_force()
    {
        await using var api = await Api.StartAsync(app =>
        {
            app.MapPost("/", () => "x").RequireHost("none").WithIdempotency(new IdempotencyPolicy { Fingerprint = RequestFingerprintMode.None });
            app.MapPost("/", () => "x").RequireHost("exact").WithIdempotency();
        });
        for (var i = 0; i < 3; i++)
        {
            using var any = await api.SendAsync(json: $"{i}", with: request => request.Headers.Host = "none");
            Assert.Equal(i > 0, any.IsReplay());
            using var exact = await api.SendAsync(json: $"{i}", with: request => request.Headers.Host = "exact");
            await exact.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        }
    }

    [Fact]
    public async Task Another_query_or_media_type_is_another_request()
    {
        await using var api = await StartAsync();
        using var first = await api.SendAsync("/?a=1", json: "{}");
        using var replay = await api.SendAsync("/?a=1", json: "{}");
        Assert.True(replay.IsReplay());
        foreach (var request in new[] { Api.Request("/"), Api.Request("/?a=2"), Api.Request("/?A=1"), Api.Request("/?a=1&"), Api.Request("/?a=1", with: r => r.Content!.Headers.ContentType = new("application/vnd.x+json")) })
        {
            using var other = await api.Client.SendAsync(request, TestContext.Current.CancellationToken);
            await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        }
    }

    [Theory]
    [InlineData("?a=1&b=2", "?b=2&a=1", true)]
    [InlineData("?a=1&b=2&a=3", "?b=2&a=1&a=3", true)]
    [InlineData("?a=1&b=2&a=3", "?a=3&b=2&a=1", false)] // the order among equal names is the handler's to see
    [InlineData("?a=1&A=2", "?A=2&a=1", false)] // one name to the framework
    [InlineData("?%61=1&a=2", "?a=2&%61=1", false)]
    [InlineData("?%61=1&b=2", "?b=2&%61=1", true)]
    [InlineData("?a+b=1&a=2", "?a=2&a+b=1", true)]
    [InlineData("?a+b=1&a%20b=2", "?a%20b=2&a+b=1", false)]
    [InlineData("?=1&a=2", "?a=2&=1", true)]
    [InlineData("?=1&=2", "?=2&=1", false)]
    [InlineData("?a&b", "?b&a", true)]
    [InlineData("?a=b=c&b", "?b&a=b=c", true)]
    [InlineData("?a=1&b=2", "?a=2&b=1", false)]
    [InlineData("?a=1&b=2", "?a=1&b=2&b=2", false)]
    [InlineData("?a=%26&b=1", "?b=1&a=%26", true)]
    [InlineData("?%=1&a=2", "?a=2&%=1", true)]
    public async Task Query_parameters_in_another_order_are_the_same_query(string one, string other, bool isSame)
    {
        await using var api = await StartAsync(kestrel: true);
        await using var byBody = await Api.StartAsync(app => app.MapPost("/", (HttpContext context) => context.Request.QueryString.Value).WithIdempotency(new IdempotencyPolicy { KeySource = IdempotencyKeySource.Body }), kestrel: true);
        // An HttpClient would unescape %61 before it is sent.
        Action<HttpRequestMessage> Exactly(Api to) => request => request.RequestUri = new Uri(to.Address + request.RequestUri!.OriginalString[1..], new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var first = await api.SendAsync("/" + one, with: Exactly(api));
        using var second = await api.SendAsync("/" + other, with: Exactly(api));
        Assert.Equal(isSame, second.IsReplay());
        if (!isSame)
        {
            await second.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        }

        using var unlike = await api.SendAsync("/?%61=%61", key: "unlike", with: Exactly(api));
        using var alike = await api.SendAsync("/?a=a", key: "unlike", with: Exactly(api));
        await alike.AssertProblemAsync(422, "idempotency-key-reused", "new-key"); // only the order is made one

        using var firstByBody = await byBody.SendAsync("/" + one, key: null, with: Exactly(byBody));
        using var secondByBody = await byBody.SendAsync("/" + other, key: null, with: Exactly(byBody));
        Assert.Equal(isSame, secondByBody.IsReplay());
    }

    [Theory]
    [InlineData(RequestFingerprintMode.ExactJson)]
    [InlineData(RequestFingerprintMode.Raw)]
    public async Task An_empty_body_is_an_empty_body_whatever_its_media_type(RequestFingerprintMode mode)
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapDelete("/", () => ++runs).WithIdempotency(new IdempotencyPolicy { Fingerprint = mode }), kestrel: true);
        static void As(HttpRequestMessage request, string type)
        {
            request.Content = new ByteArrayContent([]);
            request.Content.Headers.ContentType = System.Net.Http.Headers.MediaTypeHeaderValue.Parse(type);
        }

        using var first = await api.SendAsync(json: null, method: HttpMethod.Delete);
        foreach (var type in new[] { "application/json", "text/plain; charset=utf-8", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded" })
        {
            using var retry = await api.SendAsync(json: null, method: HttpMethod.Delete, with: request => As(request, type));
            Assert.True(retry.IsReplay());
        }

        using var chunked = await api.SendAsync(json: null, method: HttpMethod.Delete, with: request =>
        {
            As(request, "application/json");
            request.Headers.TransferEncodingChunked = true;
        });
        using var encoded = await api.SendAsync(json: null, method: HttpMethod.Delete, with: request =>
        {
            As(request, "application/json");
            request.Content!.Headers.ContentEncoding.Add("gzip");
        });
        using var something = await api.SendAsync(json: "0", method: HttpMethod.Delete);
        Assert.True(chunked.IsReplay());
        Assert.True(encoded.IsReplay());
        await something.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        Assert.Equal(1, runs);
    }

    [Theory]
    [InlineData("JSON", "?a=1&b=2", "application/json; charset=utf-8", """{"b":1.0,"a":"x"}""")]
    [InlineData("text", "", "text/plain", "hello")]
    [InlineData("nothing", "", null, "")]
    public async Task Stored_fingerprints_do_not_change(string name, string query, string? type, string content)
    {
        // Written by the first release. A change that breaks this makes a stranger of every retry across a deployment.
        var golden = (await File.ReadAllLinesAsync(Path.Combine(AppContext.BaseDirectory, "Golden", "fingerprints-v1.txt"), TestContext.Current.CancellationToken)).Select(line => line.Split(' ')).ToDictionary(line => line[0], line => line[1]);
        var context = new DefaultHttpContext { Request = { Method = "POST", Path = "/payments", QueryString = new(query), ContentType = type, Body = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(content)) } };
        var body = await RequestBody.ReadAsync(context, 1000);
        Assert.Equal(golden[name], RequestIdentity.FingerprintOf(context, new IdempotencyPolicy(), body).ToString());
    }

    [Fact]
    public async Task Parameters_of_a_media_type_count_but_not_their_order_or_the_charset_of_JSON()
    {
        await using var api = await StartAsync();
        static HttpRequestMessage Typed(string type) => Api.Request(with: request => request.Content!.Headers.ContentType = System.Net.Http.Headers.MediaTypeHeaderValue.Parse(type));
        using var first = await api.Client.SendAsync(Typed("application/json; v=1; profile=x"), TestContext.Current.CancellationToken);
        using var same = await api.Client.SendAsync(Typed("application/json; Profile=x; V=1; charset=utf-8"), TestContext.Current.CancellationToken);
        using var other = await api.Client.SendAsync(Typed("application/json; v=2; profile=x"), TestContext.Current.CancellationToken);
        Assert.True(same.IsReplay());
        await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public async Task A_form_with_a_file_is_not_one_with_fields_of_the_same_words()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) => context.Request.Form.Files.Count).WithIdempotency(new IdempotencyPolicy { MaxRequestBodySize = 400 }).DisableAntiforgery(),
            outer: app => app.Use(async (context, next) => { await context.Request.ReadFormAsync(); await next(context); }));
        static HttpRequestMessage Form(params (HttpContent Content, string Name, string? File)[] parts)
        {
            var form = new MultipartFormDataContent("boundary");
            foreach (var (content, name, file) in parts)
            {
                if (file is null)
                {
                    form.Add(content, name);
                }
                else
                {
                    form.Add(content, name, file);
                }
            }

            return Api.Request(json: null, with: request => request.Content = form);
        }

        using var file = await api.Client.SendAsync(Form((new StringContent("HELLO", new System.Net.Http.Headers.MediaTypeHeaderValue("text/plain")), "upload", "invoice.txt")), TestContext.Current.CancellationToken);
        using var fields = await api.Client.SendAsync(Form((new StringContent("invoice.txt"), "upload", null), (new StringContent("HELLO"), "text/plain", null)), TestContext.Current.CancellationToken);
        using var large = await api.Client.SendAsync(Form((new StringContent(new string('x', 500)), "a", null)), TestContext.Current.CancellationToken);
        Assert.Equal("1", await file.TextAsync());
        await fields.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        await large.AssertProblemAsync(413, "idempotency-body-too-large", "no");
    }

    [Fact]
    public async Task What_is_not_JSON_is_compared_byte_for_byte()
    {
        await using var api = await StartAsync();
        var text = (string body, string type) => Api.Request(json: body, with: request => request.Content!.Headers.ContentType = System.Net.Http.Headers.MediaTypeHeaderValue.Parse(type));
        using var first = await api.Client.SendAsync(text("{ }", "text/plain; charset=utf-8"), TestContext.Current.CancellationToken);
        using var same = await api.Client.SendAsync(text("{ }", "text/plain; charset=utf-8"), TestContext.Current.CancellationToken);
        using var space = await api.Client.SendAsync(text("{}", "text/plain; charset=utf-8"), TestContext.Current.CancellationToken);
        using var charset = await api.Client.SendAsync(text("{ }", "text/plain; charset=latin1"), TestContext.Current.CancellationToken);
        Assert.True(same.IsReplay());
        await space.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        await charset.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public async Task Raw_compares_JSON_byte_for_byte_and_None_nothing()
    {
        await using var raw = await StartAsync(RequestFingerprintMode.Raw);
        using var rawFirst = await raw.SendAsync(json: "{}");
        using var rawSpace = await raw.SendAsync(json: "{ }");
        await rawSpace.AssertProblemAsync(422, "idempotency-key-reused", "new-key");

        await using var none = await StartAsync(RequestFingerprintMode.None);
        using var noneFirst = await none.SendAsync("/?a", json: "{}");
        using var noneOther = await none.SendAsync("/?b", json: "[1]");
        Assert.True(noneOther.IsReplay());
        Assert.Equal("{}", await noneFirst.TextAsync());
        Assert.Equal("{}", await noneOther.TextAsync());
    }

    [Fact]
    public async Task A_form_that_was_read_before_still_tells_requests_apart()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) => { runs++; return context.Request.Form["a"].ToString() + context.Request.Form.Files.Count; }).WithIdempotency().DisableAntiforgery(),
            outer: app => app.Use(async (context, next) => { await context.Request.ReadFormAsync(); await next(context); }));
        var form = (string value, string? file) =>
        {
            var content = new MultipartFormDataContent("boundary") { { new StringContent(value), "a" } };
            if (file is not null)
            {
                content.Add(new StringContent(file), "f", "f.txt");
            }

            return Api.Request(json: null, with: request => request.Content = content);
        };
        using var first = await api.Client.SendAsync(form("1", "file"), TestContext.Current.CancellationToken);
        using var same = await api.Client.SendAsync(form("1", "file"), TestContext.Current.CancellationToken);
        using var otherValue = await api.Client.SendAsync(form("2", "file"), TestContext.Current.CancellationToken);
        using var otherFile = await api.Client.SendAsync(form("1", "fine"), TestContext.Current.CancellationToken);
        using var noFile = await api.Client.SendAsync(form("1", null), TestContext.Current.CancellationToken);
        Assert.Equal("11", await first.TextAsync());
        Assert.True(same.IsReplay());
        await otherValue.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        await otherFile.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        await noFile.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        Assert.Equal(1, runs);
    }
}
