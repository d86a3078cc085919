using System.Runtime.CompilerServices;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http.Resilience;

namespace Idempotency.Http.Tests;

/// <summary>The code of the README, run.</summary>
public sealed class ReadmeTests
{
    [Fact]
    public async Task The_code_in_the_readme_does_what_the_readme_says()
    {
        var service = new Service().Then(new HttpRequestException("cut")).Then(201).Then(new HttpRequestException("cut")).Then(201).ThenSilence().Then(201);
        var time = new FakeTimeProvider();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.ConfigureHttpClientDefaults(client => client.ConfigurePrimaryHttpMessageHandler(() => service));

        #region docs: client-resilience
        builder.Services.AddHttpClient<BankClient>(client => client.BaseAddress = new Uri("https://bank.example/"))
            .AddIdempotentResilienceHandler();
        #endregion

        builder.Services.AddHttpClient<ShopClient>()
            .AddIdempotentResilienceHandler(options =>
            {
                options.AttemptTimeout.Timeout = TimeSpan.FromSeconds(5);
                options.TotalRequestTimeout.Timeout = TimeSpan.FromSeconds(60);
            });

        builder.Services.AddHttpClient<QuoteClient>()
            .AddIdempotentHedgingHandler()
            .Configure(options => options.Hedging.Delay = TimeSpan.FromSeconds(1));

        using var host = builder.Build();
        await host.StartAsync();
        foreach (var http in new[] { host.Services.GetRequiredService<BankClient>().Http, host.Services.GetRequiredService<ShopClient>().Http, host.Services.GetRequiredService<QuoteClient>().Http })
        {
            var sending = http.PostAsync("https://bank.example/payments", new StringContent("{}"));
            await Eventually.TrueAsync(
                () =>
                {
                    time.Advance(TimeSpan.FromSeconds(0.25));
                    return sending.IsCompleted;
                },
                "the request has ended");
            using var response = await sending;
            Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        }

        Assert.Equal(6, service.Requests.Count);
        Assert.Equal(3, service.Keys.Distinct().Count());
        await host.StopAsync();
    }

    [Fact]
    public async Task Every_line_of_code_in_the_readme_stands_in_this_file()
    {
        var here = (await File.ReadAllLinesAsync(ThisFile())).Select(line => line.Trim()).ToHashSet();
        var readme = await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../src/Idempotency.Http.Resilience/README.md"));
        var code = readme.Split("```csharp\n").Skip(1).SelectMany(block => block.Split("```")[0].Split('\n')).Select(line => line.Trim()).Where(line => line.Length > 0).ToList();
        Assert.NotEmpty(code);
        Assert.All(code, line => Assert.Contains(line, here));
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    private sealed class BankClient(HttpClient http)
    {
        public HttpClient Http => http;
    }

    private sealed class ShopClient(HttpClient http)
    {
        public HttpClient Http => http;
    }

    private sealed class QuoteClient(HttpClient http)
    {
        public HttpClient Http => http;
    }
}
