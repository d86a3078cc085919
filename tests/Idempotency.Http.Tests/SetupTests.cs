using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Idempotency.Http.Tests;

/// <summary>How an application takes the handler in, and what it is told when something is wrong.</summary>
public sealed class SetupTests
{
    private static async Task<Received> PostAsync(IServiceProvider services, string name, Service service)
    {
        using var client = services.GetRequiredService<IHttpClientFactory>().CreateClient(name);
        using var response = await client.PostAsync("https://service.example/", new StringContent("{}"));
        return service.Requests[^1];
    }

    [Fact]
    public async Task Each_client_has_options_of_its_own()
    {
        var service = new Service();
        var collection = new ServiceCollection();
        collection.AddHttpClient("bank").ConfigurePrimaryHttpMessageHandler(() => service)
            .AddIdempotencyKeys(options => (options.Format, options.GenerateKey) = (IdempotencyKeyFormat.Quoted, _ => "of-the-bank"));
        collection.AddHttpClient("shop").ConfigurePrimaryHttpMessageHandler(() => service)
            .AddIdempotencyKeys(options => (options.HeaderName, options.GenerateKey) = ("X-Key", _ => "of-the-shop"));
        collection.AddHttpClient("neither").ConfigurePrimaryHttpMessageHandler(() => service);
        await using var services = collection.BuildServiceProvider();
        Assert.Equal("\"of-the-bank\"", (await PostAsync(services, "bank", service)).Header("Idempotency-Key"));
        Assert.Equal("of-the-shop", (await PostAsync(services, "shop", service)).Header("X-Key"));
        Assert.Null((await PostAsync(services, "neither", service)).Header("Idempotency-Key"));
    }

    [Fact]
    public async Task Typed_clients_work_as_named_ones()
    {
        var service = new Service();
        var collection = new ServiceCollection();
        collection.AddHttpClient<Shop>().ConfigurePrimaryHttpMessageHandler(() => service).AddIdempotencyKeys();
        await using var services = collection.BuildServiceProvider();
        await services.GetRequiredService<Shop>().BuyAsync();
        Assert.NotNull(service.Keys.Single());
    }

    [Fact]
    public async Task All_clients_can_have_it_and_one_can_have_it_otherwise()
    {
        var service = new Service();
        var collection = new ServiceCollection();
        collection.ConfigureHttpClientDefaults(client => client.ConfigurePrimaryHttpMessageHandler(() => service).AddIdempotencyKeys(options => options.GenerateKey = _ => "of-all"));
        collection.AddHttpClient("bank").AddIdempotencyKeys(options => options.Format = IdempotencyKeyFormat.Quoted);
        await using var services = collection.BuildServiceProvider();
        Assert.Equal("of-all", (await PostAsync(services, "anyone", service)).Header("Idempotency-Key"));
        Assert.Equal("\"of-all\"", (await PostAsync(services, "bank", service)).Header("Idempotency-Key"));
    }

    [Fact]
    public async Task Adding_it_twice_changes_the_options_and_adds_no_second_handler()
    {
        var made = 0;
        var service = new Service();
        var collection = new ServiceCollection();
        collection.AddHttpClient("bank").ConfigurePrimaryHttpMessageHandler(() => service)
            .AddIdempotencyKeys(options => options.GenerateKey = _ => $"key-{++made}")
            .AddIdempotencyKeys(options => options.Format = IdempotencyKeyFormat.Quoted);
        await using var services = collection.BuildServiceProvider();
        var request = await PostAsync(services, "bank", service);
        Assert.Equal("\"key-1\"", request.Header("Idempotency-Key"));
    }

    [Fact]
    public async Task Nothing_is_sent_again_by_the_handler_itself()
    {
        var service = new Service().Always(503);
        var collection = new ServiceCollection();
        collection.AddHttpClient("bank").ConfigurePrimaryHttpMessageHandler(() => service).AddIdempotencyKeys();
        await using var services = collection.BuildServiceProvider();
        await PostAsync(services, "bank", service);
        Assert.Single(service.Requests);
    }

    [Fact]
    public async Task It_works_without_dependency_injection()
    {
        var service = new Service();
        using var client = new HttpClient(new IdempotencyKeyHandler { InnerHandler = service });
        using var response = await client.PostAsync("https://service.example/", new StringContent("{}"));
        Assert.NotNull(service.Keys.Single());
    }

    public static TheoryData<string, Action<IdempotencyKeyOptions>> Wrong => new()
    {
        { "IdempotencyKeyOptions.HeaderName ''", options => options.HeaderName = "" },
        { "IdempotencyKeyOptions.HeaderName 'Not a name'", options => options.HeaderName = "Not a name" },
        { "IdempotencyKeyOptions.HeaderName 'Content-Type'", options => options.HeaderName = "Content-Type" },
        { "IdempotencyKeyOptions.Format is 7. Set it to Bare or Quoted", options => options.Format = (IdempotencyKeyFormat)7 },
        { "IdempotencyKeyOptions.Methods has GET. Remove it", options => options.Methods.Add(HttpMethod.Get) },
        { "IdempotencyKeyOptions.Methods has HEAD. Remove it", options => options.Methods.Add(HttpMethod.Head) },
        { "IdempotencyKeyOptions.GenerateKey is null", options => options.GenerateKey = null! },
        { "IdempotencyKeyOptions.MaxBufferedBodySize is -1", options => options.MaxBufferedBodySize = -1 },
        { "IdempotencyKeyOptions.MaxBufferedBodySize is 9223372036854775807", options => options.MaxBufferedBodySize = long.MaxValue },
        { "IdempotencyKeyOptions.MaxBufferedResponseSize is -1", options => options.MaxBufferedResponseSize = -1 },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public async Task A_wrong_option_fails_at_start_up_and_at_first_use_and_by_hand_and_says_what_to_do(string message, Action<IdempotencyKeyOptions> configure)
    {
        var host = Host.CreateEmptyApplicationBuilder(null);
        host.Services.AddHttpClient("bank").AddIdempotencyKeys(configure);
        using (var application = host.Build())
        {
            var atStart = await Assert.ThrowsAsync<OptionsValidationException>(() => application.StartAsync());
            Assert.Contains("The HTTP client 'bank': " + message, atStart.Message, StringComparison.Ordinal);
        }

        var collection = new ServiceCollection();
        collection.AddHttpClient("bank").AddIdempotencyKeys(configure);
        await using var services = collection.BuildServiceProvider();
        var atFirstUse = Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<IHttpClientFactory>().CreateClient("bank"));
        Assert.Contains(message, atFirstUse.Message, StringComparison.Ordinal);

        var options = new IdempotencyKeyOptions();
        configure(options);
        var byHand = Assert.Throws<ArgumentException>(() => new IdempotencyKeyHandler(options));
        Assert.Contains(message, byHand.Message, StringComparison.Ordinal);
    }

    private sealed class Shop(HttpClient client)
    {
        public async Task BuyAsync()
        {
            using var response = await client.PostAsync("https://service.example/", new StringContent("{}"));
        }
    }
}
