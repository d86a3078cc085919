using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The fields of a form in selectors.</summary>
public sealed class FormSelectorTests
{
    private const string UrlEncoded = "application/x-www-form-urlencoded";

    private static IdempotencyPolicy By(string selector) => new() { KeySelector = selector, FingerprintSelector = selector };

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Multipart(params (string Name, string? File, string Content)[] parts) => Bytes(string.Concat(parts.Select(part =>
        $"--b\r\nContent-Disposition: form-data; name=\"{part.Name}\"{(part.File is null ? "" : $"; filename=\"{part.File}\"")}\r\n\r\n{part.Content}\r\n")) + "--b--\r\n");

    [Theory]
    [InlineData("body.MessageSid", "MessageSid=SM1&Body=hello", "\"SM1\"")]
    [InlineData("MessageSid", "Body=hello&MessageSid=SM%201+x", "\"SM 1 x\"")]
    [InlineData("body.To", "To=a&To=b", "[\"a\",\"b\"]")]
    [InlineData("body.To", "To=a&to=b", "[\"a\",\"b\"]")] // field names are not case-sensitive in ASP.NET Core
    [InlineData("body", "a=1&b=", "{\"a\":\"1\",\"b\":\"\"}")]
    [InlineData("@", "a=1", "{\"a\":\"1\"}")]
    public async Task A_form_is_an_object_of_its_fields(string selector, string form, string selected)
    {
        await using var api = await Selecting.StartAsync(By(selector));
        using var first = await api.PostAsync(Bytes(form), UrlEncoded);
        using var retry = await api.PostAsync(Bytes(form), UrlEncoded + "; charset=utf-8");
        Assert.Equal(Selecting.KeyOf(selected), await first.KeyAsync());
        Assert.EndsWith(form, await first.TextAsync(), StringComparison.Ordinal); // the handler finds the body as it was sent
        Assert.True(retry.IsReplay());
    }

    [Fact]
    public async Task So_is_a_multipart_form_and_its_files_are_not_read()
    {
        await using var api = await Selecting.StartAsync(By("body"));
        using var first = await api.PostAsync(Multipart(("a", null, "1"), ("upload", "invoice.pdf", new string('x', 100_000)), ("a", null, "2")), "multipart/form-data; boundary=b");
        using var otherFile = await api.PostAsync(Multipart(("a", null, "1"), ("a", null, "2"), ("upload", "other.pdf", "y")), "multipart/form-data; boundary=\"b\"");
        Assert.Equal(Selecting.KeyOf("""{"a":["1","2"]}"""), await first.KeyAsync());
        Assert.True(otherFile.IsReplay());
        Assert.Contains("invoice.pdf", await first.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_handler_reads_the_form_and_its_files_as_without_the_library()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpContext context) =>
            {
                var form = await context.Request.ReadFormAsync();
                using var reader = new StreamReader(form.Files.Single().OpenReadStream());
                return $"{form["id"]} {await reader.ReadToEndAsync()}";
            }).WithIdempotency(By("id")),
            services: services => services.AddIdempotency().AddJmesPath());
        using var first = await api.PostAsync(Multipart(("id", null, "7"), ("f", "f.txt", "file")), "multipart/form-data; boundary=b");
        Assert.Equal("7 file", await first.TextAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_form_that_was_read_before_is_the_same_object(bool isMultipart)
    {
        await using var api = await Selecting.StartAsync(By("id"), outer: app => app.Use(async (context, next) =>
        {
            if (context.Request.Headers.ContainsKey("X-Early"))
            {
                await context.Request.ReadFormAsync();
            }

            await next(context);
        }));
        Task<HttpResponseMessage> SendAsync(bool isEarly) => api.SendAsync(key: null, json: null, with: request =>
        {
            request.Content = new ByteArrayContent(isMultipart ? Multipart(("id", null, "1"), ("f", "f", "x")) : Bytes("id=1"));
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(isMultipart ? "multipart/form-data; boundary=b" : UrlEncoded);
            if (isEarly)
            {
                request.Headers.Add("X-Early", "1");
            }
        });
        using var first = await SendAsync(isEarly: true);
        using var retry = await SendAsync(isEarly: false);
        Assert.Equal(Selecting.KeyOf("\"1\""), await first.KeyAsync());
        Assert.True(retry.IsReplay());
    }

    [Fact]
    public async Task A_field_that_is_not_there_is_a_missing_key()
    {
        await using var api = await Selecting.StartAsync(By("body.MessageSid"));
        foreach (var (body, type) in new[] { (Bytes("Other=1"), UrlEncoded), ([], UrlEncoded), (Multipart(("MessageSid", "file", "x")), "multipart/form-data; boundary=b") })
        {
            using var missing = await api.PostAsync(body, type);
            await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        }
    }

    [Theory]
    [InlineData("multipart/form-data", "--b--\r\n")]
    [InlineData("multipart/form-data; boundary=other", "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n1\r\n--b--\r\n")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n1")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nX: y\r\n\r\n1\r\n--b--\r\n")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nno header\r\n\r\n1\r\n--b--\r\n")]
    [InlineData(UrlEncoded, "a=1&b=2&c=3&d=4")]
    [InlineData(UrlEncoded, "id=too-long-a-value")]
    public async Task A_form_that_cannot_be_read_is_400_and_does_not_run(string type, string form)
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => ++runs).WithIdempotency(By("id")),
            services: services => services.Configure<FormOptions>(options => (options.ValueCountLimit, options.ValueLengthLimit) = (3, 10)).AddIdempotency().AddJmesPath());
        using var rejected = await api.PostAsync(Bytes(form), type);
        await rejected.AssertProblemAsync(400, "idempotency-key-invalid", "new-key");
        Assert.Equal(0, runs);
    }

    [Fact]
    public async Task The_limits_are_those_of_the_endpoint()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/more", () => "ran").WithIdempotency(By("id")).WithFormOptions(valueCountLimit: 5);
                app.MapPost("/action", () => "ran").WithIdempotency(By("id")).WithMetadata(new RequestFormLimitsAttribute { ValueCountLimit = 5 });
                app.MapPost("/as-set", () => "ran").WithIdempotency(By("id"));
            },
            services: services => services.Configure<FormOptions>(options => options.ValueCountLimit = 3).AddIdempotency().AddJmesPath());
        foreach (var path in new[] { "/more", "/action", "/as-set" })
        {
            using var response = await api.SendAsync(path, key: null, with: request => request.Content = new StringContent("id=1&b=2&c=3&d=4", new MediaTypeHeaderValue(UrlEncoded)));
            Assert.Equal(path == "/as-set" ? 400 : 200, (int)response.StatusCode);
        }
    }
}
