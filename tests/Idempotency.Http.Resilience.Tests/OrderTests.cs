namespace Idempotency.Http.Tests;

/// <summary>One logical request has one key, wherever the handlers stand.</summary>
public sealed class OrderTests
{
    public static TheoryData<string> Arrangements => [.. All.Keys];

    private static Dictionary<string, Action<IHttpClientBuilder>> All => new()
    {
        ["the idempotent pipeline alone"] = builder => builder.AddIdempotentResilienceHandler(),
        ["keys, then the idempotent pipeline"] = builder => builder.AddIdempotencyKeys().AddIdempotentResilienceHandler(),
        ["the idempotent pipeline, then keys"] = builder =>
        {
            builder.AddIdempotentResilienceHandler();
            builder.AddIdempotencyKeys();
        },
        ["the idempotent pipeline around a key handler made by hand"] = builder =>
        {
            builder.AddIdempotentResilienceHandler();
            builder.AddHttpMessageHandler(() => new IdempotencyKeyHandler());
        },
        ["hedging alone"] = builder => builder.AddIdempotentHedgingHandler(),
        ["keys, then hedging"] = builder => builder.AddIdempotencyKeys().AddIdempotentHedgingHandler(),
        ["hedging, then keys"] = builder =>
        {
            builder.AddIdempotentHedgingHandler();
            builder.AddIdempotencyKeys();
        },
        ["keys, then the standard pipeline"] = builder => builder.AddIdempotencyKeys().AddStandardResilienceHandler(),
        ["the standard pipeline, then keys"] = builder =>
        {
            builder.AddStandardResilienceHandler();
            builder.AddIdempotencyKeys();
        },
        ["keys, then standard hedging"] = builder => builder.AddIdempotencyKeys().AddStandardHedgingHandler(),
        ["standard hedging, then keys"] = builder =>
        {
            builder.AddStandardHedgingHandler();
            builder.AddIdempotencyKeys();
        },
        ["hedging around the idempotent pipeline"] = builder =>
        {
            builder.AddIdempotentHedgingHandler();
            builder.AddIdempotentResilienceHandler();
        },
        ["the standard pipeline around the idempotent one"] = builder =>
        {
            builder.AddStandardResilienceHandler();
            builder.AddIdempotentResilienceHandler();
        },
    };

    [Theory]
    [MemberData(nameof(Arrangements))]
    public async Task One_logical_request_has_one_key_and_two_have_two(string arrangement)
    {
        var service = new Service().Then(503).Then(200).ThenSilence();
        using var clients = Clients.Of(service, All[arrangement]);
        using var first = await clients.PostAsync();
        using var second = await clients.PostAsync();
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK], [first.StatusCode, second.StatusCode]);
        Assert.Equal(4, service.Requests.Count);
        var keys = service.Keys.ToList();
        Assert.NotNull(keys[0]);
        Assert.NotNull(keys[2]);
        Assert.Equal(keys[0], keys[1]);
        Assert.Equal(keys[2], keys[3]);
        Assert.NotEqual(keys[0], keys[2]);
    }

    [Theory]
    [MemberData(nameof(Arrangements))]
    public async Task The_callers_own_key_goes_with_every_attempt(string arrangement)
    {
        var service = new Service().Then(new HttpRequestException("cut"));
        using var clients = Clients.Of(service, All[arrangement]);
        using var response = await clients.PostAsync(key: "order-7");
        Assert.Equal(["order-7", "order-7"], service.Keys);
    }

    [Theory]
    [InlineData("keys, then the standard pipeline")]
    [InlineData("the standard pipeline, then keys")]
    public async Task The_standard_pipeline_by_itself_gives_a_409_in_progress_to_the_caller(string arrangement)
    {
        var service = new Service().ThenSilence().Then(409, Problems.InProgress());
        using var clients = Clients.Of(service, All[arrangement]);
        using var response = await clients.PostAsync();
        var result = await response.ReadIdempotencyResultAsync();
        Assert.Equal(IdempotencyProblemCodes.RequestInProgress, result.ProblemCode);
        Assert.Equal(IdempotencyRetryAdvice.SameKey, result.Advice);
    }

    [Theory]
    [InlineData("keys, then standard hedging")]
    [InlineData("standard hedging, then keys")]
    public async Task Standard_hedging_by_itself_lets_a_409_in_progress_win_over_the_attempt_that_still_runs(string arrangement)
    {
        var service = new Service().ThenSilence().Then(409, Problems.InProgress());
        using var clients = Clients.Of(service, All[arrangement]);
        using var response = await clients.PostAsync();
        Assert.Equal(IdempotencyProblemCodes.RequestInProgress, (await response.ReadIdempotencyResultAsync()).ProblemCode);
    }

    [Fact]
    public async Task A_client_can_replace_the_resilience_handler_that_all_clients_have_by_default()
    {
        var service = new Service().Always(503);
        var time = new FakeTimeProvider();
        var collection = new ServiceCollection().AddSingleton<TimeProvider>(time);
        collection.ConfigureHttpClientDefaults(client => client.AddStandardResilienceHandler());
#pragma warning disable EXTEXP0001 // The framework marks it as experimental.
        collection.AddHttpClient("payments").ConfigurePrimaryHttpMessageHandler(() => service).RemoveAllResilienceHandlers()
            .AddIdempotentResilienceHandler(options => options.Retry.MaxRetryAttempts = 1);
#pragma warning restore EXTEXP0001
        await using var services = collection.BuildServiceProvider();
        using var client = services.GetRequiredService<IHttpClientFactory>().CreateClient("payments");
        var sending = client.PostAsync("https://service.example/", new StringContent("{}"));
        await Eventually.TrueAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(0.25));
                return sending.IsCompleted;
            },
            "the request has ended");
        using var response = await sending;
        Assert.Equal(2, service.Requests.Count);
        Assert.NotNull(Assert.Single(service.Keys.Distinct()));
    }
}
