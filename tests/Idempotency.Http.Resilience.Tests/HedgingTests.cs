using Microsoft.Extensions.Http.Resilience;
using Polly.Timeout;

namespace Idempotency.Http.Tests;

/// <summary>What <c>AddIdempotentHedgingHandler()</c> sends, and whose response wins.</summary>
public sealed class HedgingTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private static Clients Hedging(Service service, Action<HttpStandardHedgingResilienceOptions>? configure = null) => Clients.Of(service, builder =>
        builder.AddIdempotentHedgingHandler().Configure(configure ?? (static _ => { })));

    [Fact]
    public async Task A_409_in_progress_does_not_win_over_the_attempt_that_still_runs()
    {
        var first = new TaskCompletionSource<HttpResponseMessage>();
        var service = new Service().Then((_, _) => first.Task).Always(409, Problems.InProgress());
        using var clients = Hedging(service);
        var sending = clients.PostAsync();
        await Eventually.TrueAsync(() => service.Requests.Count >= 5, "the hedged attempt asks again and again");
        Assert.False(sending.IsCompleted);
        first.SetResult(new HttpResponseMessage(HttpStatusCode.Created));
        using var response = await sending;
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.NotNull(Assert.Single(service.Keys.Distinct()));
        Assert.True(clients.Arrivals[1] >= 2 * Second); // the hedging delay
        Assert.All(clients.Arrivals.Skip(2).Zip(clients.Arrivals.Skip(1)), pair => Assert.True(pair.First - pair.Second >= Second));
    }

    [Fact]
    public async Task When_the_first_attempt_is_lost_the_hedged_one_gets_its_response()
    {
        var service = new Service().ThenSilence().Then(409, Problems.InProgress()).Then(409, Problems.InProgress()).Then(201, Problems.Replayed);
        using var clients = Hedging(service);
        using var response = await clients.PostAsync();
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(4, service.Requests.Count);
        Assert.NotNull(Assert.Single(service.Keys.Distinct()));
        Assert.True(clients.Arrivals[^1] < 10 * Second); // before the first attempt's timeout
    }

    [Fact]
    public async Task Waiting_is_not_limited_by_the_timeout_of_an_attempt()
    {
        var service = new Service().ThenSilence();
        for (var i = 0; i < 10; i++)
        {
            service.Then(409, Problems.InProgress());
        }

        service.Then(201, Problems.Replayed);
        using var clients = Hedging(service, options => options.Endpoint.Timeout.Timeout = Second);
        using var response = await clients.PostAsync();
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(12, service.Requests.Count);
    }

    [Fact]
    public async Task Waiting_ends_with_the_total_timeout()
    {
        var service = new Service().Always(409, Problems.InProgress());
        using var clients = Hedging(service);
        await Assert.ThrowsAsync<TimeoutRejectedException>(() => clients.PostAsync());
        Assert.InRange(service.Requests.Count, 20, 60); // two attempts, each asking at most once a second for 30 seconds
    }

    [Theory]
    [InlineData(400)]
    [InlineData(409)]
    [InlineData(422)]
    public async Task Another_refusal_wins_at_once(int status)
    {
        var service = new Service().Always(status);
        using var clients = Hedging(service);
        using var response = await clients.PostAsync();
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task A_failure_is_followed_by_a_hedged_attempt_at_once()
    {
        var service = new Service().Then(503);
        using var clients = Hedging(service);
        using var response = await clients.PostAsync();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.True(clients.Arrivals[1] < Second);
    }

    [Fact]
    public async Task A_recorded_failure_wins_because_it_would_come_again()
    {
        var service = new Service().Always(500, Problems.Replayed);
        using var clients = Hedging(service);
        using var response = await clients.PostAsync();
        Assert.Single(service.Requests);
    }

    [Theory]
    [InlineData("POST", true, 1)]
    [InlineData("PUT", true, 1)]
    [InlineData("PUT", false, 2)]
    [InlineData("GET", false, 2)]
    public async Task A_request_without_a_key_is_hedged_only_if_its_method_is_idempotent(string method, bool excluded, int sent)
    {
        var late = new TaskCompletionSource<HttpResponseMessage>();
        var service = new Service().Then((_, _) => late.Task).Then((_, _) => late.Task);
        using var clients = Hedging(service);
        using var request = new HttpRequestMessage(new HttpMethod(method), "payments");
        if (excluded)
        {
            request.DisableIdempotencyKey();
        }

        var sending = clients.Client.SendAsync(request);
        await clients.UntilAsync(() => service.Requests.Count == sent, "as many attempts were sent");
        clients.Time.Advance(5 * Second);
        late.SetResult(new HttpResponseMessage());
        using var response = await clients.EndAsync(sending);
        Assert.Equal(sent, service.Requests.Count);
    }

    [Fact]
    public async Task Every_hedged_attempt_sends_the_same_bytes_whatever_the_body_is_made_of()
    {
        HttpContent[] bodies =
        [
            new StringContent("text"), new StreamContent(new OneTimeStream("text")), new StreamContent(new MemoryStream("text"u8.ToArray())),
            new MultipartFormDataContent("boundary") { { new StreamContent(new OneTimeStream("file")), "file", "a.txt" } },
        ];
        foreach (var body in bodies)
        {
            body.Headers.ContentLanguage.Add("en");
            var service = new Service().ThenSilence();
            using var clients = Hedging(service);
            using var response = await clients.EndAsync(clients.Client.PostAsync("payments", body));
            Assert.Equal(2, service.Requests.Count);
            Assert.NotEmpty(Assert.Single(service.Requests.Select(request => request.Text).Distinct()));
            Assert.All(service.Requests, request => Assert.Equal("en", request.Header("Content-Language")));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stream_that_is_too_large_to_hold_is_rejected_because_two_attempts_cannot_read_it_at_once(bool inForm)
    {
        var stream = new StreamContent(new MemoryStream(new byte[2_000_000]));
        HttpContent body = inForm ? new MultipartFormDataContent { { stream, "file", "a.bin" } } : stream;
        var service = new Service();
        using var clients = Hedging(service);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => clients.Client.PostAsync("payments", body));
        Assert.Contains("IdempotencyKeyOptions.MaxBufferedBodySize", error.Message, StringComparison.Ordinal);
        Assert.Empty(service.Requests);
    }

    [Fact]
    public async Task The_standard_options_and_routes_can_be_configured()
    {
        var service = new Service().ThenSilence();
        using var clients = Clients.Of(service, builder => builder.AddIdempotentHedgingHandler(routes => routes.ConfigureOrderedGroups(options =>
        {
            options.Groups.Add(new UriEndpointGroup { Endpoints = { new WeightedUriEndpoint { Uri = new Uri("https://one.example") } } });
            options.Groups.Add(new UriEndpointGroup { Endpoints = { new WeightedUriEndpoint { Uri = new Uri("https://two.example") } } });
        })).Configure(options => options.Hedging.Delay = 4 * Second));
        using var response = await clients.PostAsync();
        Assert.Equal(["one.example", "two.example"], service.Requests.Select(request => request.Address!.Host));
        Assert.True(clients.Arrivals[1] >= 4 * Second);
        Assert.NotNull(Assert.Single(service.Keys.Distinct()));
    }
}
