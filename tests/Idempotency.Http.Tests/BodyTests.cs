using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;

namespace Idempotency.Http.Tests;

/// <summary>Every attempt sends the same bytes, or nothing is sent at all.</summary>
public sealed class BodyTests
{
    private const string Text = """{"amount":42.50}""";

    private static Task<HttpResponseMessage> SendAsync(Clients clients, HttpContent content) => clients.Client.PostAsync("payments", content);

    public static TheoryData<string> Repeatable => ["bytes", "text", "form", "memory", "json", "seekable stream", "stream of known length", "stream", "multipart", "made when sent"];

    private static HttpContent Make(string kind) => kind switch
    {
        "bytes" => new ByteArrayContent(Encoding.UTF8.GetBytes(Text)),
        "text" => new StringContent(Text, Encoding.UTF8, "application/json"),
        "form" => new FormUrlEncodedContent([new("amount", "42.50")]),
        "memory" => new ReadOnlyMemoryContent(Encoding.UTF8.GetBytes(Text)),
        "json" => JsonContent.Create(new { amount = 42.50m }),
        "seekable stream" => new StreamContent(new MemoryStream(Encoding.UTF8.GetBytes(Text))),
        "stream of known length" => new StreamContent(new OneTimeStream(Text)) { Headers = { ContentLength = Text.Length, ContentType = new("application/json") } },
        "stream" => new StreamContent(new OneTimeStream(Text)),
        "multipart" => new MultipartFormDataContent
        {
            { new StringContent("42.50"), "amount" },
            { JsonContent.Create(new { name = "Ada" }), "who" },
            { new StreamContent(new MemoryStream([1, 2, 3])) { Headers = { ContentType = new("image/png") } }, "receipt", "receipt.png" },
        },
        _ => new CountingContent(),
    };

    [Theory]
    [MemberData(nameof(Repeatable))]
    public async Task Every_attempt_sends_the_same_bytes_under_the_same_headers(string kind)
    {
        var service = new Service().Then(503).Then(new HttpRequestException("cut"));
        using var clients = Clients.Repeating(service);
        using var response = await SendAsync(clients, Make(kind));
        Assert.Equal(3, service.Requests.Count);
        Assert.NotEmpty(service.Requests[0].Body!);
        Assert.Single(service.Requests.Select(request => Convert.ToHexString(request.Body!)).Distinct());
        Assert.Single(service.Requests.Select(request => request.Header("Content-Type")).Distinct());
    }

    [Fact]
    public async Task An_object_that_changes_in_between_is_sent_as_it_was_first()
    {
        var order = new Dictionary<string, int> { ["amount"] = 1 };
        var service = new Service().Then((_, _) =>
        {
            order["amount"] = 2;
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.ServiceUnavailable));
        });
        using var clients = Clients.Repeating(service);
        using var response = await SendAsync(clients, JsonContent.Create(order));
        Assert.Equal(["""{"amount":1}""", """{"amount":1}"""], service.Requests.Select(request => request.Text));
    }

    [Fact]
    public async Task A_body_without_a_key_is_not_held()
    {
        var service = new Service();
        using var clients = Clients.Repeating(service);
        using var request = new HttpRequestMessage(HttpMethod.Post, "payments") { Content = new StreamContent(new OneTimeStream(Text)) };
        request.DisableIdempotencyKey();
        using var response = await clients.Client.SendAsync(request);
        Assert.Equal(Text, service.Requests.Single().Text);
    }

    [Fact]
    public async Task By_default_no_body_is_held()
    {
        var service = new Service();
        using var clients = Clients.Of(service);
        using var response = await SendAsync(clients, new StreamContent(new OneTimeStream(Text)));
        Assert.Equal(Text, service.Requests.Single().Text);
    }

    [Theory]
    [InlineData("stream")]
    [InlineData("stream of known length")]
    [InlineData("made when sent")]
    [InlineData("multipart")]
    public async Task What_is_not_in_memory_and_over_the_limit_is_rejected_before_anything_is_sent(string kind)
    {
        var service = new Service();
        using var clients = Clients.Repeating(service, options => options.MaxBufferedBodySize = 5);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => clients.Client.PostAsync("payments?token=secret", Make(kind)));
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
        Assert.Contains("exceeds the 5 bytes", error.Message, StringComparison.Ordinal);
        Assert.Contains("IdempotencyKeyOptions.MaxBufferedBodySize", error.Message, StringComparison.Ordinal);
        Assert.Empty(service.Requests);
    }

    [Fact]
    public async Task The_limit_is_one_for_all_parts_of_a_form()
    {
        var service = new Service();
        using var clients = Clients.Repeating(service, options => options.MaxBufferedBodySize = 10);
        var form = new MultipartFormDataContent { { JsonContent.Create("123456"), "a" }, { JsonContent.Create("123456"), "b" } }; // 8 bytes each
        await Assert.ThrowsAsync<InvalidOperationException>(() => SendAsync(clients, form));
        Assert.Empty(service.Requests);
    }

    [Theory]
    [InlineData("bytes")]
    [InlineData("text")]
    [InlineData("form")]
    [InlineData("memory")]
    [InlineData("seekable stream")]
    public async Task What_is_repeatable_anyway_may_be_larger(string kind)
    {
        var service = new Service().Then(503);
        using var clients = Clients.Repeating(service, options => options.MaxBufferedBodySize = 5);
        using var response = await SendAsync(clients, Make(kind));
        Assert.Equal(2, service.Requests.Count);
        Assert.Equal(service.Requests[0].Text, service.Requests[1].Text);
        Assert.NotEmpty(service.Requests[1].Text);
    }

    [Fact]
    public async Task So_may_what_the_caller_buffered()
    {
        var service = new Service().Then(503);
        using var clients = Clients.Repeating(service, options => options.MaxBufferedBodySize = 5);
        foreach (var content in new HttpContent[] { new StreamContent(new OneTimeStream(Text)), JsonContent.Create(Text) })
        {
            await content.LoadIntoBufferAsync();
            using var response = await SendAsync(clients, content);
        }

        Assert.Equal(3, service.Requests.Count);
        Assert.Equal(Text, service.Requests[1].Text);
    }

    [Fact]
    public async Task A_seekable_stream_is_sent_from_where_it_stood()
    {
        var stream = new MemoryStream(Encoding.UTF8.GetBytes("header" + Text)) { Position = 6 };
        var service = new Service().Then(503);
        using var clients = Clients.Repeating(service, options => options.MaxBufferedBodySize = 5);
        using var response = await SendAsync(clients, new StreamContent(stream));
        Assert.Equal([Text, Text], service.Requests.Select(request => request.Text));
    }

    [Fact]
    public async Task Cancelling_while_a_body_is_held_sends_nothing()
    {
        var service = new Service();
        using var clients = Clients.Repeating(service);
        using var caller = new CancellationTokenSource();
        var sending = clients.Client.PostAsync("payments", new StreamContent(new SilentStream()), caller.Token);
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        Assert.Empty(service.Requests);
    }

    private sealed class CountingContent : HttpContent
    {
        private int _made;

        public CountingContent() => Headers.ContentType = new MediaTypeHeaderValue("text/plain");

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(Encoding.UTF8.GetBytes($"made {++_made}")).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
