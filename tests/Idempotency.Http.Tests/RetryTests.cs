using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;

namespace Idempotency.Http.Tests;

/// <summary>When the handler itself sends a request again, after what wait, and when it stops.</summary>
public sealed class RetryTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private static StringContent ProblemOf(string code, string? retry = null) =>
        new StringContent($$"""{"status":409,"code":"{{code}}"{{(retry is null ? "" : $",\"retry\":\"{retry}\"")}}}""", MediaTypeHeaderValue.Parse("application/problem+json"));

    private static void InProgress(HttpResponseMessage response)
    {
        response.Headers.TryAddWithoutValidation("Retry-After", "1");
        response.Content = ProblemOf(IdempotencyProblemCodes.RequestInProgress, "same-key");
    }

    [Fact]
    public async Task By_default_there_are_none()
    {
        var service = new Service().Always(503);
        using var clients = Clients.Of(service);
        using var response = await clients.PostAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Single(service.Requests);
    }

    [Theory]
    [InlineData(408)]
    [InlineData(425)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task An_answer_that_may_pass_is_retried_with_the_same_key_and_the_same_bytes(int status)
    {
        var service = new Service().Then(status);
        using var clients = Clients.Retrying(service);
        using var response = await clients.PostAsync("""{"amount":42.50}""");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(2, service.Requests.Count);
        Assert.Single(service.Keys.Distinct());
        Assert.All(service.Requests, request => Assert.Equal("""{"amount":42.50}""", request.Text));
        Assert.All(service.Requests, request => Assert.Equal("text/plain; charset=utf-8", request.Header("Content-Type")));
    }

    [Theory]
    [InlineData(200)]
    [InlineData(201)]
    [InlineData(302)]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(402)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(409)]
    [InlineData(412)]
    [InlineData(413)]
    [InlineData(422)]
    [InlineData(423)]
    [InlineData(424)]
    [InlineData(428)]
    [InlineData(501)]
    [InlineData(505)]
    public async Task Any_other_answer_is_final(int status)
    {
        var service = new Service().Always(status);
        using var clients = Clients.Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Single(service.Requests);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(413)]
    [InlineData(422)]
    public async Task Even_if_its_problem_advises_otherwise(int status)
    {
        var service = new Service().Always(status, response => response.Content = ProblemOf("idempotency-from-another-world", "same-key"));
        using var clients = Clients.Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Single(service.Requests);
    }

    [Theory]
    [InlineData(IdempotencyProblemCodes.RequestInProgress, true)]
    [InlineData(IdempotencyProblemCodes.OutcomeUnknown, false)]
    [InlineData(IdempotencyProblemCodes.ResponseUnavailable, false)]
    [InlineData("out-of-stock", false)]
    public async Task Of_the_conflicts_only_the_one_in_progress_is_retried(string code, bool isRetried)
    {
        var service = new Service().Then(409, response => response.Content = ProblemOf(code));
        using var clients = Clients.Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal(isRetried ? 2 : 1, service.Requests.Count);
        if (!isRetried)
        {
            Assert.Contains(code, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal); // still there to read
        }
    }

    [Fact]
    public async Task A_conflict_that_only_looks_like_it_is_final()
    {
        var service = new Service().Always(409, response => response.Content = new StringContent("""{"code":"idempotency-request-in-progress"}""", MediaTypeHeaderValue.Parse("application/json")));
        using var clients = Clients.Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Single(service.Requests);
    }

    [Theory]
    [InlineData("Idempotent-Replayed", "true")]
    [InlineData("Idempotency-Stored", "false")]
    public async Task A_failure_that_is_recorded_or_is_known_not_to_be_is_final(string header, string value)
    {
        var service = new Service().Always(500, response => response.Headers.Add(header, value));
        using var clients = Clients.Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Single(service.Requests);
    }

    [Theory]
    [InlineData(HttpRequestError.ConnectionError)]
    [InlineData(HttpRequestError.NameResolutionError)]
    [InlineData(HttpRequestError.ResponseEnded)]
    [InlineData(HttpRequestError.SecureConnectionError)]
    [InlineData(HttpRequestError.HttpProtocolError)]
    [InlineData(HttpRequestError.Unknown)]
    public async Task An_error_of_the_connection_is_retried(HttpRequestError kind)
    {
        var service = new Service().Then(new HttpRequestException(kind, "broken", new SocketException())).Then(new HttpRequestException(kind));
        using var clients = Clients.Retrying(service);
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
        using var clients = Clients.Retrying(service);
        Assert.Same(error, await Assert.ThrowsAsync<HttpRequestException>(() => clients.PostAsync()));
        Assert.Single(service.Requests);
    }

    [Theory]
    [InlineData(HttpStatusCode.BadRequest, 1)]
    [InlineData(HttpStatusCode.Conflict, 1)]
    [InlineData(HttpStatusCode.ServiceUnavailable, 2)]
    public async Task An_error_made_of_an_answer_is_judged_as_the_answer(HttpStatusCode status, int requests)
    {
        var service = new Service().Then(new HttpRequestException("thrown by a handler inside", null, status));
        using var clients = Clients.Retrying(service);
        if (requests == 1)
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => clients.PostAsync());
        }
        else
        {
            using var response = await clients.PostAsync();
        }

        Assert.Equal(requests, service.Requests.Count);
    }

    [Fact]
    public async Task An_error_that_is_no_matter_of_the_connection_is_thrown_at_once()
    {
        var error = new FormatException();
        var service = new Service().Always(error);
        using var clients = Clients.Retrying(service);
        Assert.Same(error, await Assert.ThrowsAsync<FormatException>(() => clients.PostAsync()));
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task A_request_without_a_key_is_not_retried()
    {
        var service = new Service().Always(503);
        using var clients = Clients.Retrying(service);
        using var get = await clients.Client.GetAsync("payments");
        using var put = await clients.Client.PutAsync("payments", new StringContent("{}"));
        Assert.Equal(2, service.Requests.Count);
    }

    [Fact]
    public async Task A_request_with_a_key_of_the_callers_is_retried_whatever_its_method()
    {
        var service = new Service().Then(503);
        using var clients = Clients.Retrying(service);
        using var request = new HttpRequestMessage(HttpMethod.Put, "payments") { Headers = { { "Idempotency-Key", "order-7" } } };
        using var response = await clients.Client.SendAsync(request);
        Assert.Equal(["order-7", "order-7"], service.Keys);
    }

    [Fact]
    public async Task The_last_answer_is_the_callers_and_those_before_it_are_disposed()
    {
        var service = new Service().Always(503);
        using var clients = Clients.Retrying(service, retry => retry.MaxAttempts = 4);
        using var response = await clients.PostAsync();
        Assert.Equal(4, service.Requests.Count);
        Assert.Same(service.Answers[3], response);
        Assert.Equal([true, true, true, false], service.Answers.Select(answer => answer.IsDisposed));
    }

    [Fact]
    public async Task The_last_error_is_thrown_as_it_came()
    {
        var last = new HttpRequestException("the last");
        var service = new Service().Then(503).Then(last);
        using var clients = Clients.Retrying(service, retry => retry.MaxAttempts = 2);
        Assert.Same(last, await Assert.ThrowsAsync<HttpRequestException>(() => clients.PostAsync()));
        Assert.True(service.Answers.Single().IsDisposed);
    }

    [Fact]
    public async Task Retry_After_in_seconds_is_waited_for_in_full()
    {
        var service = new Service().Then(503, response => response.Headers.RetryAfter = new RetryConditionHeaderValue(7 * Second));
        using var clients = Clients.Retrying(service);
        var sending = clients.PostAsync();
        clients.Time.Advance(6.999 * Second);
        Assert.Single(service.Requests);
        Assert.True(service.Answers[0].IsDisposed); // its connection is not held meanwhile
        clients.Time.Advance(0.001 * Second);
        using var response = await sending;
        Assert.Equal(2, service.Requests.Count);
    }

    [Fact]
    public async Task Retry_After_as_a_date_is_waited_for_in_full()
    {
        Clients clients = null!;
        var service = new Service().Then(503, response => response.Headers.RetryAfter = new RetryConditionHeaderValue(clients.Time.GetUtcNow() + (7 * Second)));
        using var _ = clients = Clients.Retrying(service);
        var sending = clients.PostAsync();
        clients.Time.Advance(6.999 * Second);
        Assert.Single(service.Requests);
        clients.Time.Advance(0.001 * Second);
        using var response = await sending;
    }

    [Fact]
    public async Task A_date_is_read_by_the_servers_clock_when_the_answer_tells_it()
    {
        var service = new Service().Then(503, response =>
        {
            response.Headers.Date = new DateTimeOffset(2031, 5, 1, 12, 0, 0, TimeSpan.Zero); // a year and more ahead of the client's
            response.Headers.RetryAfter = new RetryConditionHeaderValue(new DateTimeOffset(2031, 5, 1, 12, 0, 3, TimeSpan.Zero));
        });
        using var clients = Clients.Retrying(service);
        var sending = clients.PostAsync();
        clients.Time.Advance(2.999 * Second);
        Assert.Single(service.Requests);
        clients.Time.Advance(0.001 * Second);
        using var response = await sending;
    }

    [Theory]
    [InlineData("0")]
    [InlineData("Fri, 01 Jan 1999 00:00:00 GMT")]
    [InlineData("soon")]
    [InlineData("-5")]
    [InlineData("1.5")]
    public async Task A_Retry_After_that_is_over_or_unreadable_adds_nothing_to_the_wait(string value)
    {
        var service = new Service().Then(503, response => Assert.True(response.Headers.TryAddWithoutValidation("Retry-After", value)));
        using var clients = Clients.Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal(2, service.Requests.Count);
    }

    [Theory]
    [InlineData("31")]
    [InlineData("99999999999999999999")]
    [InlineData("Sat, 01 Jan 2000 00:00:31 GMT")]
    public async Task A_Retry_After_beyond_the_bound_is_given_back_at_once(string value)
    {
        var service = new Service().Always(503, response => response.Headers.TryAddWithoutValidation("Retry-After", value));
        using var clients = Clients.Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Single(service.Requests);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(1, clients.Logs.Count("GaveUp"));
    }

    [Fact]
    public async Task The_random_wait_comes_on_top_of_Retry_After()
    {
        var service = new Service().Then(429, response => response.Headers.RetryAfter = new RetryConditionHeaderValue(2 * Second));
        using var clients = Clients.Retrying(service, retry => retry.BaseDelay = Second);
        var sending = clients.PostAsync();
        clients.Time.Advance(1.999 * Second);
        Assert.Single(service.Requests);
        clients.Time.Advance(1.001 * Second);
        using var response = await sending;
        Assert.Equal(2, service.Requests.Count);
    }

    [Fact]
    public async Task Without_it_the_wait_is_random_between_zero_and_a_ceiling_that_doubles_up_to_a_bound()
    {
        double[] ceilings = [1, 2, 3, 3]; // seconds: 1, 2, 4 but for the bound, 8 but for it
        var longest = new double[ceilings.Length];
        var shortest = new[] { 9d, 9, 9, 9 };
        for (var run = 0; run < 100; run++)
        {
            var service = new Service().Always(503);
            using var clients = Clients.Retrying(service, retry => (retry.BaseDelay, retry.MaxDelay) = (Second, 3 * Second));
            var sending = clients.PostAsync();
            for (var retry = 0; retry < ceilings.Length; retry++)
            {
                var began = clients.Time.GetUtcNow();
                while (service.Requests.Count < retry + 2)
                {
                    clients.Time.Advance(0.05 * Second);
                }

                var wait = (clients.Time.GetUtcNow() - began).TotalSeconds;
                (longest[retry], shortest[retry]) = (Math.Max(longest[retry], wait), Math.Min(shortest[retry], wait));
            }

            using var response = await sending;
        }

        // A hundred random waits all stay out of a quarter of their range less than once in a million test runs.
        Assert.All(ceilings.Zip(longest), pair => Assert.InRange(pair.Second, pair.First * 0.75, pair.First + 0.05));
        Assert.All(ceilings.Zip(shortest), pair => Assert.InRange(pair.Second, 0, pair.First * 0.25));
    }

    [Fact]
    public async Task No_wait_goes_beyond_the_time_for_everything()
    {
        var service = new Service().Always(503, response => response.Headers.RetryAfter = new RetryConditionHeaderValue(4 * Second));
        using var clients = Clients.Retrying(service, retry => retry.MaxDuration = 10 * Second);
        var sending = clients.PostAsync();
        clients.Time.Advance(4 * Second);
        clients.Time.Advance(4 * Second);
        using var response = await sending; // at 8 seconds: the next attempt would begin at 12
        Assert.Equal(3, service.Requests.Count);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
    }

    [Fact]
    public async Task No_attempt_goes_beyond_the_time_for_everything()
    {
        var service = new Service().Then(503, response => response.Headers.RetryAfter = new RetryConditionHeaderValue(4 * Second)).ThenSilence();
        using var clients = Clients.Retrying(service, retry => retry.MaxDuration = 10 * Second);
        var sending = clients.PostAsync();
        clients.Time.Advance(4 * Second);
        clients.Time.Advance(5.999 * Second);
        Assert.False(sending.IsCompleted);
        clients.Time.Advance(0.001 * Second);
        await Assert.ThrowsAsync<TaskCanceledException>(() => sending);
        Assert.Equal(2, service.Requests.Count);
    }

    [Fact]
    public async Task An_attempt_that_takes_too_long_is_given_up_and_followed_by_another()
    {
        var service = new Service().ThenSilence();
        using var clients = Clients.Retrying(service, retry => retry.AttemptTimeout = 5 * Second);
        var sending = clients.PostAsync();
        clients.Time.Advance(4.999 * Second);
        Assert.Single(service.Requests);
        clients.Time.Advance(0.001 * Second);
        using var response = await sending;
        Assert.Equal(2, service.Requests.Count);
        Assert.Single(service.Keys.Distinct());
    }

    [Fact]
    public async Task When_the_last_attempt_takes_too_long_it_is_a_timeout_as_of_any_client()
    {
        var service = new Service().ThenSilence().ThenSilence();
        using var clients = Clients.Retrying(service, retry => (retry.AttemptTimeout, retry.MaxAttempts) = (5 * Second, 2));
        var sending = clients.PostAsync();
        clients.Time.Advance(5 * Second);
        clients.Time.Advance(5 * Second);
        var error = await Assert.ThrowsAsync<TaskCanceledException>(() => sending);
        Assert.IsType<TimeoutException>(error.InnerException);
        Assert.Contains("IdempotencyRetryOptions.AttemptTimeout", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_timeout_further_inside_is_retried_too()
    {
        var service = new Service().Then(new TaskCanceledException("connecting", new TimeoutException()));
        using var clients = Clients.Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal(2, service.Requests.Count);
    }

    [Fact]
    public async Task What_a_handler_inside_cancels_for_reasons_of_its_own_is_not()
    {
        var service = new Service().Always(new OperationCanceledException());
        using var clients = Clients.Retrying(service);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => clients.PostAsync());
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task The_caller_can_cancel_an_attempt()
    {
        var service = new Service().ThenSilence();
        using var clients = Clients.Retrying(service);
        using var caller = new CancellationTokenSource();
        var sending = clients.PostAsync(cancellationToken: caller.Token);
        await caller.CancelAsync();
        var error = await Assert.ThrowsAsync<TaskCanceledException>(() => sending);
        Assert.Equal(caller.Token, error.CancellationToken);
        Assert.IsNotType<TimeoutException>(error.InnerException);
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task And_without_an_HttpClient_around_it_is_the_callers_token_all_the_same()
    {
        using var handler = new IdempotencyKeyHandler(new IdempotencyKeyOptions { Retry = new() }, new FakeTimeProvider()) { InnerHandler = new Service().ThenSilence() };
        using var invoker = new HttpMessageInvoker(handler);
        using var caller = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, "https://service.example/");
        var sending = invoker.SendAsync(request, caller.Token);
        await caller.CancelAsync();
        Assert.Equal(caller.Token, (await Assert.ThrowsAsync<TaskCanceledException>(() => sending)).CancellationToken);
    }

    [Fact]
    public async Task The_caller_can_cancel_a_wait()
    {
        var service = new Service().Always(503, response => response.Headers.RetryAfter = new RetryConditionHeaderValue(5 * Second));
        using var clients = Clients.Retrying(service);
        using var caller = new CancellationTokenSource();
        var sending = clients.PostAsync(cancellationToken: caller.Token);
        clients.Time.Advance(Second);
        await caller.CancelAsync();
        Assert.Equal(caller.Token, (await Assert.ThrowsAsync<TaskCanceledException>(() => sending)).CancellationToken);
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task An_error_after_the_caller_cancelled_is_no_reason_to_go_on()
    {
        using var caller = new CancellationTokenSource();
        var service = new Service().Then(async (_, _) =>
        {
            await caller.CancelAsync();
            throw new HttpRequestException("the connection was closed");
        });
        using var clients = Clients.Retrying(service);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => clients.PostAsync(cancellationToken: caller.Token)); // HttpClient makes it that
        Assert.Single(service.Requests);
        Assert.Equal(0, clients.Logs.Count("Retrying"));
    }

    [Fact]
    public async Task Waits_for_a_request_in_progress_until_its_answer_is_replayed()
    {
        var service = new Service().Then(new HttpRequestException("cut")).Then(409, InProgress).Then(409, InProgress)
            .Then(201, response => response.Headers.Add("Idempotent-Replayed", "true"));
        using var clients = Clients.Retrying(service);
        var sending = clients.PostAsync();
        clients.Time.Advance(Second);
        Assert.Equal(3, service.Requests.Count);
        clients.Time.Advance(Second);
        using var response = await sending;
        Assert.True((await response.ReadIdempotencyResultAsync()).WasReplayed);
        Assert.Single(service.Keys.Distinct());
    }

    [Fact]
    public async Task Each_attempt_begins_where_the_first_one_began()
    {
        // What a redirect does to a message (303: a GET without content, elsewhere, without authorization), and a handler that adds a header.
        var attempts = 0;
        var service = new Service().Then(503).Then(503);
        using var clients = Clients.Retrying(service, inside: builder => builder.AddHttpMessageHandler(() => new Changing(request =>
        {
            Assert.Equal(HttpMethod.Post, request.Method);
            Assert.Equal("https://service.example/payments", request.RequestUri!.AbsoluteUri);
            Assert.Equal("Bearer token", request.Headers.Authorization?.ToString());
            Assert.False(request.Headers.Contains("X-Attempt"));
            Assert.Equal(["one", "two"], request.Headers.GetValues("X-Many"));
            Assert.NotNull(request.Content);
            attempts++;
            request.Method = HttpMethod.Get;
            request.RequestUri = new Uri("https://elsewhere.example/");
            request.Content = null;
            request.Headers.Authorization = null;
            request.Headers.Add("X-Attempt", "1");
        })));
        using var request = new HttpRequestMessage(HttpMethod.Post, "payments") { Content = new StringContent("{}"), Headers = { { "Authorization", "Bearer token" }, { "X-Many", ["one", "two"] } } };
        using var response = await clients.Client.SendAsync(request);
        Assert.Equal(3, attempts);
        Assert.Equal(3, service.Requests.Count);
    }

    [Fact]
    public async Task An_answer_that_breaks_off_is_retried()
    {
        var service = new Service()
            .Then(200, response => response.Content = new StreamContent(new BreakingStream("{\"id\":")))
            .Then(200, response => response.Content = new StreamContent(new OneTimeStream("{\"id\":1}")));
        using var clients = Clients.Retrying(service);
        using var response = await clients.PostAsync();
        Assert.Equal("{\"id\":1}", await response.Content.ReadAsStringAsync());
        Assert.True(service.Answers[0].IsDisposed);
    }

    [Fact]
    public async Task An_answer_that_breaks_off_at_the_last_attempt_is_the_error_it_is_for_any_client()
    {
        var service = new Service().Then(200, response => response.Content = new StreamContent(new BreakingStream("{")));
        using var clients = Clients.Retrying(service, retry => retry.MaxAttempts = 1);
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => clients.PostAsync());
        Assert.Equal(HttpRequestError.ResponseEnded, error.HttpRequestError);
    }

    [Fact]
    public async Task But_not_one_that_says_it_is_not_recorded_because_its_effect_might_happen_again()
    {
        var service = new Service().Then(200, response =>
        {
            response.Headers.Add("Idempotency-Stored", "false");
            response.Content = new StreamContent(new BreakingStream("{\"id\":"));
        });
        using var clients = Clients.Retrying(service);
        await Assert.ThrowsAsync<HttpRequestException>(() => clients.PostAsync());
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task An_answer_whose_body_takes_too_long_is_retried()
    {
        var service = new Service().Then(200, response => response.Content = new StreamContent(new SilentStream()));
        using var clients = Clients.Retrying(service, retry => retry.AttemptTimeout = 5 * Second);
        var sending = clients.PostAsync();
        clients.Time.Advance(5 * Second);
        using var response = await sending;
        Assert.Equal(2, service.Requests.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(25_000)]
    [InlineData(100_000)]
    [InlineData(1_000_000)]
    public async Task An_answer_arrives_whole_however_much_of_it_is_read_ahead(long limit)
    {
        var text = new string('x', 50_000) + "end";
        var service = new Service().Then(200, response => response.Content = new StreamContent(new OneTimeStream(text)) { Headers = { ContentType = new("text/csv"), ContentLanguage = { "en" } } });
        using var clients = Clients.Retrying(service, retry => retry.MaxBufferedResponseSize = limit);
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
        using var clients = Clients.Retrying(service);
        using var request = new HttpRequestMessage(HttpMethod.Post, "payments");
        using var response = await clients.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(0, events.Reads);
    }

    [Fact]
    public void A_synchronous_request_is_retried_too()
    {
        var service = new Service().Then(503).Then(409, response => response.Content = ProblemOf(IdempotencyProblemCodes.RequestInProgress)).Then(new HttpRequestException("cut"))
            .Then(200, response => response.Content = new StringContent("done"));
        using var clients = Clients.Retrying(service);
        using var request = new HttpRequestMessage(HttpMethod.Post, "payments") { Content = new OnceMadeContent() };
        using var response = clients.Client.Send(request);
        using var reader = new StreamReader(response.Content.ReadAsStream());
        Assert.Equal("done", reader.ReadToEnd());
        Assert.Equal(4, service.Requests.Count);
        Assert.Single(service.Keys.Distinct());
        Assert.Equal(["made 1"], service.Requests.Select(sent => sent.Text).Distinct());
    }

    [Fact]
    public async Task Is_told_in_the_log_without_the_key_and_without_the_query()
    {
        var service = new Service().Always(503);
        using var clients = Clients.Retrying(service, retry => retry.MaxAttempts = 2);
        using var request = new HttpRequestMessage(HttpMethod.Post, "payments?token=secret-1") { Content = new StringContent("{}") };
        request.SetIdempotencyKey("secret-2");
        using var response = await clients.Client.SendAsync(request);
        Assert.Equal(1, clients.Logs.Count("Retrying"));
        Assert.Equal(1, clients.Logs.Count("GaveUp"));
        var own = clients.Logs.Entries.Where(entry => entry.Event is "Retrying" or "GaveUp").Select(entry => entry.Text).ToList();
        Assert.All(own, text => Assert.Contains("POST https://service.example/payments: ", text, StringComparison.Ordinal));
        Assert.Contains("503, and none follows: MaxAttempts is reached", own[1], StringComparison.Ordinal);
        Assert.All(own, text => Assert.DoesNotContain("secret", text, StringComparison.Ordinal));
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
