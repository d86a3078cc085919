extern alias minimal;
extern alias web;

using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/getting-started.md and of the README, run.</summary>
public sealed class GettingStartedPageTests
{
    [Fact]
    public async Task The_minimal_API_pays_once()
    {
        await using var factory = Factory<minimal::Program>();
        using var client = factory.CreateClient();
        using var first = await client.PostAsync("/payments", "8f1c", """{"amount":42.50}""");
        using var second = await client.PostAsync("/payments", "8f1c", """{"amount":42.5}""");
        using var third = await client.PostAsync("/payments", "8f1d", """{"amount":42.50}""");
        Assert.Equal("/payments/1", first.Headers.Location?.ToString());
        Assert.Equal("/payments/1", second.Headers.Location?.ToString());
        Assert.True(second.IsReplay());
        Assert.Equal("/payments/2", third.Headers.Location?.ToString());
    }

    [Fact]
    public async Task The_controller_pays_once()
    {
        await using var factory = Factory<web::GettingStarted.Ledger>();
        using var client = factory.CreateClient();
        using var first = await client.PostAsync("/payments", "8f1c", """{"amount":42.50}""");
        using var second = await client.PostAsync("/payments", "8f1c", """{"amount":42.50}""");
        using var without = await client.PostAsync("/payments", null, """{"amount":42.50}""");
        Assert.Equal(201, (int)first.StatusCode);
        Assert.Equal(await first.TextAsync(), (await second.TextAsync()).Replace(",\"serverCacheHit\":true", "", StringComparison.Ordinal));
        Assert.True(second.IsReplay());
        Assert.Equal(400, (int)without.StatusCode);
    }

    [Fact]
    public async Task The_page_pays_once_for_each_form_that_it_showed()
    {
        await using var factory = Factory<web::GettingStarted.Ledger>();
        using var client = factory.CreateClient(new WebApplicationFactoryClientOptions { AllowAutoRedirect = false });
        foreach (var expected in new[] { "/Paid/1", "/Paid/2" })
        {
            var page = await client.GetStringAsync("/Pay", TestContext.Current.CancellationToken);
            var fields = Regex.Matches(page, "name=\"(?<name>\\w+)\"[^>]*value=\"(?<value>[^\"]*)\"").ToDictionary(field => field.Groups["name"].Value, field => field.Groups["value"].Value);
            fields["amount"] = "5";
            for (var click = 0; click < 2; click++)
            {
                using var response = await client.PostAsync("/Pay", new FormUrlEncodedContent(fields), TestContext.Current.CancellationToken);
                Assert.Equal(expected, response.Headers.Location?.ToString());
                Assert.Equal(click == 1, response.IsReplay());
            }
        }
    }

    [Fact]
    public async Task The_worker_handles_a_message_once()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<Inbox>();
        #region docs: getting-started-worker
        builder.Services.AddIdempotency();
        builder.Services.AddHostedService<MailWorker>();
        #endregion
        using var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        var inbox = host.Services.GetRequiredService<Inbox>();
        await Eventually.TrueAsync(() => inbox.Handled == 3, "all messages are handled");
        await host.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal(["m-1", "m-2"], inbox.Sent);
    }

    [Fact]
    public async Task The_three_lines_of_the_README_protect_an_endpoint()
    {
        var builder = Applications.NewBuilder();
        #region docs: three-lines
        builder.Services.AddIdempotency();               // records in memory, until you choose a store

        await using var app = builder.Build();
        app.UseIdempotency();                            // after authentication and authorization

        app.MapPost("/payments", Pay).WithIdempotency(); // or [Idempotent] on a lambda, an action or a controller
        #endregion
        using var client = await app.StartedAsync();
        using var first = await client.PostAsync("/payments", "k", """{"amount":1}""");
        using var second = await client.PostAsync("/payments", "k", """{"amount":1}""");
        Assert.True(second.IsReplay());

        static Payment Pay(Payment payment) => payment;
    }

    #region docs: getting-started-worker-class
    private sealed class MailWorker(IIdempotentExecutor executor, Inbox inbox) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await foreach (var message in inbox.ReadAsync(stoppingToken)) // each message comes at least once
            {
                await executor.ExecuteAsync("mail", message.Id, (run, cancel) => inbox.SendAsync(message, cancel), cancellationToken: stoppingToken);
                inbox.Acknowledge(message);
            }
        }
    }
    #endregion

    private static WebApplicationFactory<T> Factory<T>()
        where T : class => new WebApplicationFactory<T>().WithWebHostBuilder(host => host.ConfigureLogging(logging => logging.ClearProviders()));

    private sealed record Mail(string Id);

    private sealed class Inbox
    {
        private int _handled;

        public List<string> Sent { get; } = [];

        public int Handled => Volatile.Read(ref _handled);

        public async IAsyncEnumerable<Mail> ReadAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
        {
            foreach (var id in new[] { "m-1", "m-2", "m-1" })
            {
                await Task.Yield();
                cancellation.ThrowIfCancellationRequested();
                yield return new Mail(id);
            }
        }

        public Task SendAsync(Mail mail, CancellationToken cancellation)
        {
            cancellation.ThrowIfCancellationRequested();
            Sent.Add(mail.Id);
            return Task.CompletedTask;
        }

        public void Acknowledge(Mail mail) => Interlocked.Add(ref _handled, mail.Id.Length > 0 ? 1 : 0);
    }
}
