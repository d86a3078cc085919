using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;

namespace Idempotency.Http.Tests;

/// <summary>The code of the README, run.</summary>
public sealed class ReadmeTests
{
    [Fact]
    public async Task The_code_in_the_readme_does_what_the_readme_says()
    {
        var order = new Order(42.50m, "order-7-payment");
        var service = new Service().Then(201).Then(201, answer => answer.Headers.Add("Idempotent-Replayed", "true"));
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.ConfigureHttpClientDefaults(client => client.ConfigurePrimaryHttpMessageHandler(() => service));

        builder.Services.AddHttpClient<BankClient>(client => client.BaseAddress = new Uri("https://bank.example/"))
            .AddIdempotencyKeys();

        using var host = builder.Build();
        await host.StartAsync();
        foreach (var expected in new[] { "paid", "paid before" })
        {
            var client = host.Services.GetRequiredService<BankClient>().Http;

            #region docs: client-own-key
            using var request = new HttpRequestMessage(HttpMethod.Post, "payments") { Content = JsonContent.Create(new { order.Amount }) };
            request.SetIdempotencyKey(order.PaymentKey);
            using var response = await client.SendAsync(request);
            #endregion

            #region docs: client-result
            var result = await response.ReadIdempotencyResultAsync();
            var next = result.Advice switch
            {
                IdempotencyRetryAdvice.NotNeeded => result.WasReplayed ? "paid before" : "paid",
                IdempotencyRetryAdvice.SameKey => $"retry in {result.RetryAfter ?? TimeSpan.FromMinutes(1)}",
                IdempotencyRetryAdvice.NewKey => $"rejected ({result.ProblemCode}): correct the request and use a new key",
                _ => "ask the bank whether it was paid",
            };
            #endregion

            Assert.Equal(expected, next);
        }

        Assert.Equal(["order-7-payment", "order-7-payment"], service.Keys);
        await host.StopAsync();

    }

    [Fact]
    public async Task Without_dependency_injection_the_handler_of_the_readme_gives_each_request_a_key()
    {
        var app = WebApplication.CreateSlimBuilder().Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapPost("/", (HttpContext context) => context.Request.Headers["Idempotency-Key"].ToString());
        await app.StartAsync();
        await using (app)
        {
            using var plain = new HttpClient(new IdempotencyKeyHandler { InnerHandler = new SocketsHttpHandler() });

            var keys = new HashSet<string>();
            for (var i = 0; i < 2; i++)
            {
                using var response = await plain.PostAsync(app.Urls.First(), null);
                keys.Add(await response.Content.ReadAsStringAsync());
            }

            Assert.Equal(2, keys.Count);
            Assert.All(keys, key => Assert.True(Guid.TryParse(key.Trim('"'), out _), key));
        }
    }

    [Fact]
    public async Task Every_line_of_code_in_the_readme_stands_in_this_file()
    {
        var here = (await File.ReadAllLinesAsync(ThisFile())).Select(line => line.Trim()).ToHashSet();
        var readme = await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../src/Idempotency.Http/README.md"));
        var code = readme.Split("```csharp\n").Skip(1).SelectMany(block => block.Split("```")[0].Split('\n')).Select(line => line.Trim()).Where(line => line.Length > 0).ToList();
        Assert.NotEmpty(code);
        Assert.All(code, line => Assert.Contains(line, here));
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    private sealed record Order(decimal Amount, string PaymentKey);

    private sealed class BankClient(HttpClient http)
    {
        public HttpClient Http => http;
    }
}
