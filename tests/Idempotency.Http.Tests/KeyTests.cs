using System.Globalization;

namespace Idempotency.Http.Tests;

/// <summary>Which requests get a key, whose, and how it is written.</summary>
public sealed class KeyTests
{
    private static HttpRequestMessage Request(string method = "POST", Action<HttpRequestMessage>? with = null)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), "payments");
        with?.Invoke(request);
        return request;
    }

    [Theory]
    [InlineData("POST", true)]
    [InlineData("PATCH", true)]
    [InlineData("post", true)]
    [InlineData("PUT", false)]
    [InlineData("DELETE", false)]
    [InlineData("GET", false)]
    [InlineData("HEAD", false)]
    [InlineData("OPTIONS", false)]
    [InlineData("TRACE", false)]
    [InlineData("QUERY", false)]
    public async Task By_default_a_POST_and_a_PATCH_get_one(string method, bool hasKey)
    {
        var service = new Service();
        using var clients = Clients.Of(service);
        using var response = await clients.Client.SendAsync(Request(method));
        Assert.Equal(hasKey, service.Requests.Single().Header("Idempotency-Key") is not null);
    }

    [Fact]
    public async Task It_is_a_version_4_UUID_bare_and_another_for_each_request()
    {
        var service = new Service();
        using var clients = Clients.Of(service);
        for (var i = 0; i < 20; i++)
        {
            using var response = await clients.PostAsync();
        }

        Assert.Equal(20, service.Keys.Distinct().Count());
        Assert.All(service.Keys, key => Assert.Equal(4, Guid.ParseExact(key!, "D").Version));
    }

    [Fact]
    public async Task More_methods_can_be_chosen()
    {
        var service = new Service();
        using var clients = Clients.Of(service, options =>
        {
            options.Methods.Add(HttpMethod.Put);
            options.Methods.Remove(HttpMethod.Patch);
        });
        using var put = await clients.Client.SendAsync(Request("PUT"));
        using var patch = await clients.Client.SendAsync(Request("PATCH"));
        Assert.NotNull(service.Requests[0].Header("Idempotency-Key"));
        Assert.Null(service.Requests[1].Header("Idempotency-Key"));
    }

    [Fact]
    public async Task The_header_and_the_generator_can_be_chosen()
    {
        var service = new Service();
        using var clients = Clients.Of(service, options =>
        {
            options.HeaderName = "PayPal-Request-Id";
            options.GenerateKey = request => $"{request.Method}-7";
        });
        using var response = await clients.PostAsync();
        Assert.Equal("POST-7", service.Requests.Single().Header("PayPal-Request-Id"));
        Assert.Null(service.Requests.Single().Header("Idempotency-Key"));
    }

    [Theory]
    [InlineData("order-7", "\"order-7\"")]
    [InlineData("a\"b", "\"a\\\"b\"")]
    [InlineData("a\\b", "\"a\\\\b\"")]
    [InlineData(" , ; ", "\" , ; \"")]
    public async Task Quoted_it_is_a_structured_field_string(string key, string header)
    {
        var service = new Service();
        using var clients = Clients.Of(service, options => options.Format = IdempotencyKeyFormat.Quoted);
        using var response = await clients.Client.SendAsync(Request(with: request => request.SetIdempotencyKey(key)));
        Assert.Equal(header, service.Keys.Single());
        Assert.Equal(key, response.RequestMessage!.GetIdempotencyKey());
    }

    [Theory]
    [InlineData("a,b")]
    [InlineData("a;b")]
    [InlineData("\"a\"")]
    [InlineData(" order-7")]
    [InlineData("order-7 ")]
    public async Task A_key_that_would_not_survive_bare_is_refused_before_anything_is_sent(string key)
    {
        var service = new Service();
        using var clients = Clients.Of(service);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => clients.Client.SendAsync(Request(with: request => request.SetIdempotencyKey(key))));
        Assert.Contains("IdempotencyKeyOptions.Format to IdempotencyKeyFormat.Quoted", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(key, error.Message, StringComparison.Ordinal);
        Assert.Empty(service.Requests);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task The_callers_own_is_sent_whatever_the_method(string method)
    {
        var service = new Service();
        using var clients = Clients.Of(service);
        using var response = await clients.Client.SendAsync(Request(method, request => request.SetIdempotencyKey("order-7")));
        Assert.Equal(["order-7"], service.Keys);
    }

    [Fact]
    public async Task But_not_with_a_safe_method()
    {
        var service = new Service();
        using var clients = Clients.Of(service);
        using var response = await clients.Client.SendAsync(Request("GET", request => request.SetIdempotencyKey("order-7")));
        Assert.Equal([null], service.Keys);
    }

    [Theory]
    [InlineData("")]
    [InlineData("tab\there")]
    [InlineData("line\nbreak")]
    [InlineData("caf\u00e9")]
    [InlineData("del\u007f")]
    [InlineData("256")]
    public void The_callers_own_has_1_to_255_characters_of_printable_ASCII(string key)
    {
        key = key == "256" ? new string('k', 256) : key;
        using var request = Request();
        var error = Assert.Throws<ArgumentException>(() => request.SetIdempotencyKey(key));
        Assert.Equal("key", error.ParamName);
        Assert.Contains("1 to 255 characters of printable ASCII", error.Message, StringComparison.Ordinal);
        request.SetIdempotencyKey(new string('~', 255));
        Assert.Throws<ArgumentNullException>(() => request.SetIdempotencyKey(null!));
    }

    [Theory]
    [InlineData("my-key", "my-key")]
    [InlineData("\"my \\\"key\\\"\"", "my \"key\"")]
    [InlineData("\"", "\"")]
    [InlineData("a,b", "a,b")]
    public async Task A_header_that_is_there_stays_as_it_is(string header, string key)
    {
        var service = new Service();
        using var clients = Clients.Of(service, options => options.Format = IdempotencyKeyFormat.Quoted);
        using var response = await clients.Client.SendAsync(Request(with: request =>
        {
            request.Headers.TryAddWithoutValidation("idempotency-key", header);
            request.SetIdempotencyKey("another");
        }));
        Assert.Equal([header], service.Keys);
        Assert.Equal(key, response.RequestMessage!.GetIdempotencyKey());
    }

    [Fact]
    public async Task A_request_can_be_sent_without()
    {
        var service = new Service().Always(503);
        using var clients = Clients.Of(service);
        using var response = await clients.Client.SendAsync(Request(with: request =>
        {
            request.SetIdempotencyKey("order-7");
            request.DisableIdempotencyKey();
        }));
        Assert.Equal([null], service.Keys);
        Assert.Null(response.RequestMessage!.GetIdempotencyKey());
    }

    [Fact]
    public async Task It_is_known_once_the_request_was_sent()
    {
        var service = new Service();
        using var clients = Clients.Of(service);
        using var request = Request();
        Assert.Null(request.GetIdempotencyKey());
        using var response = await clients.Client.SendAsync(request);
        Assert.Equal(service.Keys.Single(), request.GetIdempotencyKey());
    }

    [Fact]
    public async Task Keeps_the_key_across_the_retries_of_a_handler_inside()
    {
        var service = new Service().Then(503).Then(503);
        using var clients = Clients.Of(service, inside: builder => builder.AddHttpMessageHandler(() => new Resending()));
        using var response = await clients.PostAsync();
        Assert.Equal(3, service.Requests.Count);
        Assert.Single(service.Keys.Distinct());
    }

    [Fact]
    public async Task Keeps_the_key_across_the_retries_of_a_handler_outside()
    {
        var service = new Service().Then(503).Then(503);
        using var clients = Clients.Of(service, outside: builder => builder.AddHttpMessageHandler(() => new Resending()));
        using var response = await clients.PostAsync();
        Assert.Equal(3, service.Requests.Count);
        Assert.Single(service.Keys.Distinct());
        Assert.NotNull(service.Keys.First());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Keeps_the_key_across_the_clones_of_a_hedging_handler(bool outside)
    {
        var service = new Service();
        Action<IHttpClientBuilder> hedging = builder => builder.AddHttpMessageHandler(() => new Hedging());
        using var clients = Clients.Of(service, outside: outside ? hedging : null, inside: outside ? null : hedging);
        using var response = await clients.PostAsync();
        Assert.Equal(3, service.Requests.Count);
        Assert.Single(service.Keys.Distinct());
        Assert.NotNull(service.Keys.First());
    }

    [Fact]
    public async Task Of_two_clones_that_make_a_key_at_the_same_moment_one_decides_for_both()
    {
        using var both = new Barrier(2);
        var made = 0;
        var service = new Service();
        using var clients = Clients.Of(
            service,
            options => options.GenerateKey = _ =>
            {
                Assert.True(both.SignalAndWait(TimeSpan.FromSeconds(30)));
                return Interlocked.Increment(ref made).ToString(CultureInfo.InvariantCulture);
            },
            outside: builder => builder.AddHttpMessageHandler(() => new Hedging(clones: 2, sideBySide: true)));
        using var response = await clients.PostAsync();
        Assert.Equal(2, made);
        Assert.Equal(2, service.Requests.Count);
        Assert.Single(service.Keys.Distinct());
    }

    [Fact]
    public async Task The_generator_is_asked_once_for_a_logical_request()
    {
        var asked = 0;
        var service = new Service().Then(503).Then(503);
        using var clients = Clients.Of(
            service,
            options => options.GenerateKey = _ => (++asked).ToString(CultureInfo.InvariantCulture),
            outside: builder => builder.AddHttpMessageHandler(() => new Resending()));
        using var first = await clients.PostAsync();
        using var second = await clients.PostAsync();
        Assert.Equal(["1", "1", "1", "2"], service.Keys);
    }

    [Theory]
    [InlineData("")]
    [InlineData("caf\u00e9")]
    [InlineData(null)]
    public async Task A_generator_that_makes_no_key_is_told_so(string? made)
    {
        var service = new Service();
        using var clients = Clients.Of(service, options => options.GenerateKey = _ => made!);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => clients.PostAsync());
        Assert.Contains("IdempotencyKeyOptions.GenerateKey", error.Message, StringComparison.Ordinal);
        Assert.Empty(service.Requests);
    }

    [Fact]
    public void A_synchronous_request_gets_one_too()
    {
        var service = new Service();
        using var clients = Clients.Of(service);
        using var response = clients.Client.Send(Request());
        Assert.NotNull(service.Keys.Single());
    }
}
