using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Http.Resilience;
using Polly.Timeout;

namespace Idempotency.Http.Tests;

/// <summary>When <c>AddIdempotentResilienceHandler()</c> sends a request again, after what wait, and when it stops.</summary>
public sealed class RetryTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private static Clients Retrying(Service service, Action<HttpStandardResilienceOptions>? configure = null, Action<IdempotencyKeyOptions>? keys = null) => Clients.Of(service, builder =>
    {
        builder.AddIdempotentResilienceHandler(configure);
        builder.AddIdempotencyKeys(keys);
    });

    [Theory]
    [InlineData(408)]
    [InlineData(425)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task A_response_that_may_pass_is_retried_with_the_same_key_and_the_same_bytes(int status)
    {
        var service = new Service().Then(status);
        using var clients = Retrying(service);
        using var response = await clients.PostAsync("""{"amount":42.50}""");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(2, service.Requests.Count);
        Assert.NotNull(Assert.Single(service.Keys.Distinct()));
        Assert.All(service.Requests, request => Assert.Equal("""{"amount":42.50}""", request.Text));
    }

    [Theory]
    [InlineData(200)]
    [InlineData(302)]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(409)]
    [InlineData(412)]
    [InlineData(413)]
    [InlineData(422)]
    [InlineData(423)]
    [InlineData(501)]
    [InlineData(505)]
    public async Task Any_other_response_is_final(int status)
    {
        var service = new Service().Always(status);
        using var clients = Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Single(service.Requests);
    }

    [Theory]
    [InlineData(400, "idempotency-from-another-world", "same-key")]
    [InlineData(422, "idempotency-from-another-world", "same-key")]
    [InlineData(400, IdempotencyProblemCodes.KeyInvalid, "new-key")]
    [InlineData(422, IdempotencyProblemCodes.KeyReused, "new-key")]
    [InlineData(409, IdempotencyProblemCodes.OutcomeUnknown, "no")]
    [InlineData(409, IdempotencyProblemCodes.ResponseUnavailable, "no")]
    [InlineData(409, "out-of-stock", "same-key")]
    [InlineData(503, "idempotency-from-another-world", "no")]
    [InlineData(503, "idempotency-from-another-world", "new-key")]
    public async Task A_problem_that_a_retry_cannot_solve_is_final_and_still_there_to_read(int status, string code, string retry)
    {
        var service = new Service().Always(status, Problems.Of(code, retry, "1"));
        using var clients = Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Single(service.Requests);
        Assert.Contains(code, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(503, IdempotencyProblemCodes.StoreUnavailable)]
    [InlineData(503, IdempotencyProblemCodes.TransactionConflict)]
    [InlineData(409, IdempotencyProblemCodes.RequestInProgress)]
    public async Task A_problem_that_may_pass_is_retried_after_its_Retry_After(int status, string code)
    {
        var service = new Service().Then(status, Problems.Of(code, "same-key", "5"));
        using var clients = Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.InRange((clients.Arrivals[1] - clients.Arrivals[0]).TotalSeconds, 5, 7); // a quarter on top at random, and the steps in which the test moves time
    }

    [Fact]
    public async Task A_request_in_progress_is_waited_out_however_many_attempts_are_configured()
    {
        var service = new Service().Then(new HttpRequestException("cut"));
        for (var i = 0; i < 10; i++)
        {
            service.Then(409, Problems.InProgress());
        }

        service.Then(201, Problems.Replayed);
        using var clients = Retrying(service, options => options.Retry.MaxRetryAttempts = 1);
        using var response = await clients.PostAsync();
        Assert.True((await response.ReadIdempotencyResultAsync()).WasReplayed);
        Assert.Equal(12, service.Requests.Count);
        Assert.NotNull(Assert.Single(service.Keys.Distinct()));
        Assert.All(clients.Arrivals.Skip(2).Zip(clients.Arrivals.Skip(1)), pair => Assert.True(pair.First - pair.Second >= Second));
        Assert.All(service.Answers.SkipLast(1), answer => Assert.True(answer.IsDisposed));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("soon")]
    [InlineData(null)]
    public async Task A_request_in_progress_is_not_asked_for_without_a_pause(string? retryAfter)
    {
        var service = new Service().Then(409, Problems.InProgress(retryAfter)).Then(409, Problems.InProgress(retryAfter));
        using var clients = Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.True(clients.Arrivals[2] - clients.Arrivals[0] >= 2 * Second);
    }

    [Fact]
    public async Task Waiting_for_a_request_in_progress_ends_with_the_total_timeout()
    {
        var service = new Service().Always(409, Problems.InProgress());
        using var clients = Retrying(service, options => options.TotalRequestTimeout.Timeout = 20 * Second);
        await Assert.ThrowsAsync<TimeoutRejectedException>(() => clients.PostAsync());
        Assert.InRange(service.Requests.Count, 10, 20);
    }

    [Fact]
    public async Task Waiting_for_a_request_in_progress_does_not_open_the_circuit()
    {
        var service = new Service().Always(409, Problems.InProgress());
        using var clients = Retrying(service, options => (options.TotalRequestTimeout.Timeout, options.CircuitBreaker.MinimumThroughput) = (60 * Second, 2));
        await Assert.ThrowsAsync<TimeoutRejectedException>(() => clients.PostAsync());
        Assert.InRange(service.Requests.Count, 30, 60);
    }

    [Theory]
    [InlineData(409, "31")]
    [InlineData(503, "31")]
    [InlineData(503, "99999999999999999999")]
    [InlineData(503, "Tue, 01 Jan 2030 00:01:00 GMT")]
    public async Task A_Retry_After_beyond_the_total_timeout_is_final(int status, string retryAfter)
    {
        var service = new Service().Always(status, Problems.InProgress(retryAfter));
        using var clients = Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task A_date_is_read_by_the_servers_clock_when_the_response_has_it()
    {
        var service = new Service().Then(503, response =>
        {
            response.Headers.Date = new DateTimeOffset(2031, 5, 1, 12, 0, 0, TimeSpan.Zero); // a year and more ahead of the client's
            response.Headers.RetryAfter = new(new DateTimeOffset(2031, 5, 1, 12, 0, 3, TimeSpan.Zero));
        });
        using var clients = Retrying(service);
        using var response = await clients.PostAsync();
        Assert.InRange((clients.Arrivals[1] - clients.Arrivals[0]).TotalSeconds, 3, 5);
    }

    [Theory]
    [InlineData("Idempotent-Replayed", "true")]
    [InlineData("Idempotency-Stored", "false")]
    public async Task A_failure_that_is_recorded_or_is_known_not_to_be_is_final(string header, string value)
    {
        var service = new Service().Always(500, response => response.Headers.Add(header, value));
        using var clients = Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Single(service.Requests);
    }

    [Theory]
    [InlineData(HttpRequestError.ConnectionError)]
    [InlineData(HttpRequestError.NameResolutionError)]
    [InlineData(HttpRequestError.ResponseEnded)]
    [InlineData(HttpRequestError.HttpProtocolError)]
    [InlineData(HttpRequestError.Unknown)]
    public async Task An_error_of_the_connection_is_retried(HttpRequestError kind)
    {
        var service = new Service().Then(new HttpRequestException(kind, "broken", new SocketException())).Then(new HttpRequestException(kind));
        using var clients = Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal(3, service.Requests.Count);
        Assert.Single(service.Keys.Distinct());
    }

    [Theory]
    [InlineData(HttpRequestError.UserAuthenticationError)]
    [InlineData(HttpRequestError.VersionNegotiationError)]
    [InlineData(HttpRequestError.ConfigurationLimitExceeded)]
    public async Task An_error_that_would_come_again_is_thrown_at_once(HttpRequestError kind)
    {
        var error = new HttpRequestException(kind);
        var service = new Service().Always(error);
        using var clients = Retrying(service);
        Assert.Same(error, await Assert.ThrowsAsync<HttpRequestException>(() => clients.PostAsync()));
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task An_error_that_has_nothing_to_do_with_the_connection_is_thrown_at_once()
    {
        var service = new Service().Always(new FormatException());
        using var clients = Retrying(service);
        await Assert.ThrowsAsync<FormatException>(() => clients.PostAsync());
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task An_attempt_that_times_out_is_followed_by_another_with_the_same_key_until_the_response_is_replayed()
    {
        var service = new Service().ThenSilence().Then(409, Problems.InProgress()).Then(409, Problems.InProgress()).Then(201, Problems.Replayed);
        using var clients = Retrying(service, options => options.AttemptTimeout.Timeout = 2 * Second);
        using var response = await clients.PostAsync();
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(4, service.Requests.Count);
        Assert.NotNull(Assert.Single(service.Keys.Distinct()));
    }

    [Fact]
    public async Task The_caller_can_cancel_an_attempt_and_a_wait()
    {
        foreach (var service in new[] { new Service().ThenSilence(), new Service().Always(409, Problems.InProgress("20")) })
        {
            using var clients = Retrying(service);
            using var caller = new CancellationTokenSource();
            using var request = new HttpRequestMessage(HttpMethod.Post, "payments");
            var sending = clients.Client.SendAsync(request, caller.Token);
            await Eventually.TrueAsync(() => service.Requests.Count == 1, "the request was sent");
            await caller.CancelAsync();
            Assert.Equal(caller.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending)).CancellationToken);
            Assert.Single(service.Requests);
        }
    }

    [Fact]
    public async Task A_request_without_a_key_follows_the_standard_rules_if_its_method_is_idempotent_and_is_sent_once_if_not()
    {
        var service = new Service();
        using var clients = Retrying(service);
        foreach (var (method, excluded, sent) in new[] { ("GET", false, 2), ("PUT", false, 2), ("DELETE", false, 2), ("QUERY", false, 2), ("PUT", true, 1), ("POST", true, 1), ("LOCK", false, 1) })
        {
            var before = service.Requests.Count;
            service.Then(503).Then(200);
            using var request = new HttpRequestMessage(new HttpMethod(method), "payments");
            if (excluded)
            {
                request.DisableIdempotencyKey();
            }

            using var response = await clients.EndAsync(clients.Client.SendAsync(request));
            Assert.Equal((method, sent), (method, service.Requests.Count - before));
            if (sent == 1)
            {
                using var unused = await clients.EndAsync(clients.Client.GetAsync("unused")); // takes the rest of the script
            }
        }

        Assert.All(service.Keys, Assert.Null);
    }

    [Theory]
    [InlineData(IdempotencyProblemCodes.RequestInProgress, "same-key", 3)]
    [InlineData(IdempotencyProblemCodes.OutcomeUnknown, "no", 1)]
    public async Task A_409_in_progress_is_waited_out_by_a_PUT_without_a_key_too(string code, string retry, int sent)
    {
        var service = new Service().Then(409, Problems.Of(code, retry, "1")).Then(409, Problems.Of(code, retry, "1"));
        using var clients = Retrying(service);
        using var response = await clients.EndAsync(clients.Client.PutAsync("payments", new StringContent("{}")));
        Assert.Equal(sent, service.Requests.Count);
        Assert.All(service.Keys, Assert.Null);
    }

    [Fact]
    public async Task Each_attempt_begins_where_the_first_one_began()
    {
        // What a redirect does to a message (303: a GET without content, elsewhere, without authorization), and a handler that adds a header.
        var attempts = 0;
        var service = new Service().Then(503).Then(409, Problems.InProgress());
        using var clients = Clients.Of(service, builder =>
        {
            builder.AddIdempotentResilienceHandler();
            builder.AddHttpMessageHandler(() => new Changing(request =>
            {
                Assert.Equal(HttpMethod.Post, request.Method);
                Assert.Equal("https://service.example/payments", request.RequestUri!.AbsoluteUri);
                Assert.Equal("Bearer token", request.Headers.Authorization?.ToString());
                Assert.False(request.Headers.Contains("X-Attempt"));
                Assert.NotNull(request.Content);
                attempts++;
                request.Method = HttpMethod.Get;
                request.RequestUri = new Uri("https://elsewhere.example/");
                request.Content = null;
                request.Headers.Authorization = null;
                request.Headers.Add("X-Attempt", "1");
            }));
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, "payments") { Content = new StringContent("{}"), Headers = { { "Authorization", "Bearer token" } } };
        using var response = await clients.EndAsync(clients.Client.SendAsync(request));
        Assert.Equal(3, attempts);
    }

    [Fact]
    public async Task A_response_that_breaks_off_is_retried()
    {
        var service = new Service()
            .Then(200, response => response.Content = new StreamContent(new BreakingStream("{\"id\":")))
            .Then(200, response => response.Content = new StreamContent(new OneTimeStream("{\"id\":1}")));
        using var clients = Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal("{\"id\":1}", await response.Content.ReadAsStringAsync());
        Assert.True(service.Answers[0].IsDisposed);
    }

    [Fact]
    public async Task But_not_one_that_says_it_is_not_recorded_because_its_effect_might_happen_again()
    {
        var service = new Service().Then(200, response =>
        {
            response.Headers.Add("Idempotency-Stored", "false");
            response.Content = new StreamContent(new BreakingStream("{\"id\":"));
        });
        using var clients = Retrying(service);
        await Assert.ThrowsAsync<HttpRequestException>(() => clients.PostAsync());
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task A_response_whose_body_takes_too_long_is_retried()
    {
        var service = new Service().Then(200, response => response.Content = new StreamContent(new SilentStream()));
        using var clients = Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal(2, service.Requests.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(25_000)]
    [InlineData(100_000)]
    [InlineData(1_000_000)]
    public async Task A_response_arrives_whole_however_much_of_it_is_read_ahead(long limit)
    {
        var text = new string('x', 50_000) + "end";
        var service = new Service().Then(200, response => response.Content = new StreamContent(new OneTimeStream(text)) { Headers = { ContentType = new("text/csv"), ContentLanguage = { "en" } } });
        using var clients = Retrying(service, keys: options => options.MaxBufferedResponseSize = limit);
        using var request = new HttpRequestMessage(HttpMethod.Post, "payments");
        using var response = await clients.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/csv", response.Content.Headers.ContentType?.ToString());
        Assert.Equal(["en"], response.Content.Headers.ContentLanguage);
        Assert.Equal(text, await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Server_sent_events_are_not_read_ahead()
    {
        using var events = new SilentStream();
        var service = new Service().Then(200, response => response.Content = new StreamContent(events) { Headers = { ContentType = new("text/event-stream") } });
        using var clients = Retrying(service);
        using var request = new HttpRequestMessage(HttpMethod.Post, "payments");
        using var response = await clients.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(0, events.Reads);
    }

    [Fact]
    public async Task A_synchronous_request_is_retried_too()
    {
        var service = new Service().Then(503).Then(409, Problems.InProgress()).Then(new HttpRequestException("cut"))
            .Then(200, response => response.Content = new StreamContent(new BreakingStream("do")))
            .Then(200, response => response.Content = new StringContent("done"));
        using var clients = Retrying(service, options => options.Retry.Delay = TimeSpan.Zero);
        using var request = new HttpRequestMessage(HttpMethod.Post, "payments") { Content = new OnceMadeContent() };
        using var response = await clients.EndAsync(Task.Run(() => clients.Client.Send(request)));
        Assert.Equal("done", await response.Content.ReadAsStringAsync());
        Assert.Equal(5, service.Requests.Count);
        Assert.NotNull(Assert.Single(service.Keys.Distinct()));
        Assert.Equal(["made 1"], service.Requests.Select(sent => sent.Text).Distinct());
    }

    [Fact]
    public async Task A_body_that_can_be_read_only_once_is_held_so_that_every_attempt_sends_it()
    {
        var service = new Service().Then(503).Then(503);
        using var clients = Retrying(service);
        using var response = await clients.EndAsync(clients.Client.PostAsync("payments", new StreamContent(new OneTimeStream("once"))));
        Assert.Equal(["once", "once", "once"], service.Requests.Select(request => request.Text));
    }

    [Fact]
    public async Task The_options_of_the_standard_pipeline_are_the_callers()
    {
        var service = new Service().Always(503);
        using var clients = Retrying(service, options => options.Retry.MaxRetryAttempts = 1);
        using var response = await clients.PostAsync();
        Assert.Equal(2, service.Requests.Count);
    }

    [Fact]
    public async Task The_callers_own_rules_replace_those_of_the_package()
    {
        var service = new Service().Always(418);
        using var clients = Retrying(service, options => options.Retry.ShouldHandle = args => ValueTask.FromResult(args.Outcome.Result?.StatusCode == (HttpStatusCode)418));
        using var response = await clients.PostAsync();
        Assert.Equal(4, service.Requests.Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_can_be_the_default_of_all_clients(bool hedging)
    {
        var service = new Service().Then(409, Problems.InProgress());
        var time = new FakeTimeProvider();
        var collection = new ServiceCollection().AddSingleton<TimeProvider>(time);
        collection.ConfigureHttpClientDefaults(client =>
        {
            client.ConfigurePrimaryHttpMessageHandler(() => service);
            if (hedging)
            {
                client.AddIdempotentHedgingHandler();
            }
            else
            {
                client.AddIdempotentResilienceHandler();
            }
        });
        await using var services = collection.BuildServiceProvider();
        using var client = services.GetRequiredService<IHttpClientFactory>().CreateClient("anyone");
        var sending = client.PostAsync("https://service.example/", new StringContent("{}"));
        await Eventually.TrueAsync(
            () =>
            {
                time.Advance(0.25 * Second);
                return sending.IsCompleted;
            },
            "the request has ended");
        using var response = await sending;
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.NotNull(Assert.Single(service.Keys.Distinct()));
    }

    private sealed class Changing(Action<HttpRequestMessage> change) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            change(request);
            return base.SendAsync(request, cancellationToken);
        }
    }

    private sealed class OnceMadeContent : HttpContent
    {
        private int _made;

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(Encoding.UTF8.GetBytes($"made {++_made}")).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
