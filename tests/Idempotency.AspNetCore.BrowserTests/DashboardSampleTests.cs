using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Idempotency.AspNetCore.Tests;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>The sample's dashboard, as somebody on call uses it.</summary>
public sealed class DashboardSampleTests(Chromium chromium) : IDisposable
{
    private const string Payment = """{"name":"Ada Lovelace","email":"ada@example.com","amount":42.50}""";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private readonly string _database = Path.Combine(Path.GetTempPath(), $"payments-{Guid.NewGuid():N}.db");

    public void Dispose()
    {
        foreach (var file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_database) + "*"))
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Three_clicks_on_a_phone_answer_whether_a_payment_ran_and_whether_its_key_may_be_forgotten()
    {
        using var sample = await Sample.StartAsync(Cancellation);
        await using var context = await chromium.NewContextAsync(390, 780, hasTouch: true);
        var page = await context.NewPageAsync();
        await page.GotoAsync(sample.Address.ToString());
        await page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "the dashboard" }).ClickAsync(); // the demo page links to it
        var dashboard = new DashboardPage(page);
        await Expect(dashboard.Connection).ToContainTextAsync("Live");
        Assert.Equal(HttpStatusCode.Created, await PayAsync(sample, "order-2042"));
        Assert.Equal(HttpStatusCode.Created, await PayAsync(sample, "order-2042"));
        await dashboard.SeeAsync("Executed", 1); // the numbers move with real traffic
        await dashboard.SeeAsync("Replayed", 1);

        await dashboard.ClickAsync(dashboard.Field("Path"));
        await page.Keyboard.TypeAsync("/payments");
        await page.Keyboard.PressAsync("Tab"); // "next" on a phone's keyboard
        await page.Keyboard.TypeAsync("order-2042");
        await dashboard.ClickAsync(dashboard.Choice("Partition"));
        await Expect(dashboard.Field("Partition")).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync("demo");
        await dashboard.ClickAsync(dashboard.Button("Look up"));

        await Expect(dashboard.Result.GetByText("Yes. The handler ran, and its response (201) is recorded. Retries get that response.")).ToBeInViewportAsync();
        await Expect(dashboard.Result.GetByText("No, unless the operation must happen once more.")).ToBeInViewportAsync();
        await Expect(dashboard.Record).ToContainTextAsync("ago, by its policy’s retention");
        Assert.Equal(3, dashboard.Clicks);
        Assert.Equal(390, await page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        Assert.Empty(dashboard.Errors);
    }

    [Fact]
    public async Task A_claim_whose_process_was_killed_appears_and_forgetting_it_lets_the_next_request_run()
    {
        var settings = new Dictionary<string, string>
        {
            ["ConnectionStrings__Sqlite"] = $"Data Source={_database}",
            ["Idempotency__DefaultPolicy__ClaimDuration"] = "00:00:03",
            ["Idempotency__DefaultPolicy__WhenAbandoned"] = "Refuse",
        };
        Task<HttpStatusCode> paying;
        using (var killed = await Sample.StartAsync(Cancellation, environment: settings)) // which ends as with kill -9
        {
            paying = PayAsync(killed, "order-7", "/payments?delay=10000");
            await Eventually.TrueAsync(async () => await StateAsync(killed, "order-7") != "none", "the payment has begun");
        }

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => paying);

        using var sample = await Sample.StartAsync(Cancellation, environment: settings);
        await using var context = await chromium.NewContextAsync(1280, 900);
        var dashboard = new DashboardPage(await context.NewPageAsync());
        await dashboard.OpenAsync(new Uri(sample.Address, "/idempotency/"));
        await Eventually.TrueAsync(async () => await StateAsync(sample, "order-7") != "in-progress", "the lease is over");
        await dashboard.Button("Check again").ClickAsync();
        await Expect(dashboard.Cases).ToHaveCountAsync(1);
        await Expect(dashboard.Cases).ToContainTextAsync("Outcome unknown");
        await Expect(dashboard.Cases).ToContainTextAsync("Find out whether the effect happened, and undo or confirm it.");
        await Expect(dashboard.Cases).ToContainTextAsync("attempt 1 · retries are rejected");
        Assert.Equal(HttpStatusCode.Conflict, await PayAsync(sample, "order-7", "/payments?delay=10000"));

        await dashboard.Cases.GetByRole(AriaRole.Button).ClickAsync();
        await Expect(dashboard.Result).ToContainTextAsync("It may or may not have taken effect.");
        await dashboard.Button("Forget the record").ClickAsync();
        await Expect(dashboard.Confirmation).ToContainTextAsync("even if the first attempt took effect");
        await dashboard.Button("Forget it").ClickAsync();
        await Expect(dashboard.Result).ToContainTextAsync("Forgotten.");
        await Expect(dashboard.Cases).ToHaveCountAsync(0);
        Assert.Equal(HttpStatusCode.Created, await PayAsync(sample, "order-7"));
        await dashboard.SeeAsync("Executed", 1);
        Assert.Empty(dashboard.Errors);
    }

    private static async Task<HttpStatusCode> PayAsync(Sample sample, string key, string path = "/payments")
    {
        using var client = new HttpClient { BaseAddress = sample.Address };
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(Payment, Encoding.UTF8, "application/json") };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await client.SendAsync(request, Cancellation);
        return response.StatusCode;
    }

    private static async Task<string?> StateAsync(Sample sample, string key)
    {
        using var client = new HttpClient { BaseAddress = sample.Address };
        client.DefaultRequestHeaders.Add("Idempotency-Dashboard", "1");
        using var response = await client.PostAsJsonAsync("/idempotency/look-up", new { path = "/payments", key, partition = "demo" }, Cancellation);
        return (await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("state").GetString();
    }
}
