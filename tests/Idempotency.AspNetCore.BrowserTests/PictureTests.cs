using System.Runtime.CompilerServices;
using Idempotency.AspNetCore.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>
/// The pictures of the documentation show what the pages show. They are made in a folder of the build's, or, to make those of the documentation anew, in the folder that <c>IDEMPOTENCY_TEST_PICTURES</c> names
/// (from the root of the repository: <c>docs/images</c>).
/// </summary>
public sealed class PictureTests(Chromium chromium)
{
    private static readonly string Chosen = Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_PICTURES") ?? "";

    private static readonly (string Name, int Width, int Height, ColorScheme Colors, float Scale)[] AllViews =
    [
        ("phone", 390, 780, ColorScheme.Light, 1.5f),
        ("light", 1280, 900, ColorScheme.Light, 1),
        ("dark", 1280, 900, ColorScheme.Dark, 1),
    ];

    // What the pages show does not depend on the view; all are needed only for the documentation.
    private static readonly IEnumerable<(string Name, int Width, int Height, ColorScheme Colors, float Scale)> Views = AllViews.Take(Chosen.Length == 0 ? 1 : AllViews.Length);

    [Fact]
    public async Task The_demo_page_shows_a_payment_that_was_sent_twelve_times_and_ran_once()
    {
        foreach (var view in Views)
        {
            using var sample = await Sample.StartAsync(TestContext.Current.CancellationToken);
            await using var context = await chromium.NewContextAsync(view.Width, view.Height, view.Colors, view.Scale);
            var page = await context.NewPageAsync();
            var demo = new DemoPage(page);
            await page.GotoAsync(sample.Address.ToString());
            await Expect(demo.Executions).ToContainTextAsync("time");
            await demo.PressAsync("Submit");
            await demo.SeeAsync(1, "Executed", "201");
            for (var sent = 2; sent <= 10; sent++)
            {
                await demo.PressAsync("Retry the request");
                await demo.SeeAsync(sent, "Replayed by the server", "201");
            }

            await demo.PressAsync("Same key, different payload");
            await demo.SeeAsync(11, "Rejected", "422");
            await demo.PressAsync("Retry the request");
            await demo.SeeAsync(12, "Replayed by the server", "201");
            await demo.SeeExecutionsAsync(1);
            await TakeAsync(page, $"demo-{view.Name}");
        }
    }

    [Fact]
    public async Task The_dashboard_shows_fifteen_minutes_of_traffic_and_what_needs_a_person()
    {
        var gate = new Gate();
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow.AddMinutes(-15));
        await using var site = await OperatorsSite.StartAsync(
            app =>
            {
                app.MapPost("/refunds", static () => Results.Ok()).WithIdempotency();
                app.MapPost("/payouts", gate.PassAsync).WithIdempotency();
                app.MapPost("/subscriptions", static async (IIdempotentRun run) =>
                {
                    await run.StepAsync("charge", static _ => Task.CompletedTask);
                    return Results.StatusCode(503);
                }).WithIdempotency();
                app.MapPost("/transfers", static async (IIdempotentRun run) =>
                {
                    await run.MarkEffectsStartedAsync();
                    return Results.StatusCode(500);
                }).WithIdempotency();
            },
            time: time);
        await using (var first = await chromium.NewContextAsync(800, 600))
        {
            var viewer = await site.SignInAsync(first);
            await viewer.OpenAsync(new Uri(site.Address, "/idempotency/"));
            var random = new Random(4711);
            for (var slot = 0; slot < 60; slot++)
            {
                await TrafficAsync(site, random, slot);
                time.Advance(TimeSpan.FromSeconds(15));
                await viewer.Page.APIRequest.GetAsync(new Uri(site.Address, "/idempotency/numbers").ToString()); // its stream ends on the way: this look keeps the numbers
            }
        }

        await site.PayAsync("order-2042");
        await site.PayAsync("sub-1", "/subscriptions");
        await site.PayAsync("transfer-9", "/transfers");
        await site.AbandonAsync("killed", attempt: 2, lease: TimeSpan.FromSeconds(10));
        var payout = site.PayAsync("payout-1", "/payouts");
        await gate.ArrivedAsync();
        time.Advance(TimeSpan.FromSeconds(14));
        foreach (var view in Views)
        {
            await using var context = await chromium.NewContextAsync(view.Width, view.Height, view.Colors, view.Scale);
            var dashboard = await site.SignInAsync(context);
            await dashboard.OpenAsync(new Uri(site.Address, "/idempotency/"));
            await dashboard.LookUpAsync("/payments", "order-2042");
            await Expect(dashboard.Result).ToContainTextAsync("Yes. The handler ran");
            await Expect(dashboard.Cases).ToHaveCountAsync(3);
            await Expect(dashboard.Running).ToHaveCountAsync(1);
            await Expect(dashboard.Rows).ToHaveCountAsync(5);
            await dashboard.Page.EvaluateAsync("scrollTo(0, 0)");
            await TakeAsync(dashboard.Page, $"dashboard-{view.Name}");
            Assert.Empty(dashboard.Errors);
        }

        gate.Open();
        await payout;
    }

    private static async Task TrafficAsync(OperatorsSite site, Random random, int slot)
    {
        var executor = site.Services.GetRequiredService<IIdempotentExecutor>();
        for (var i = random.Next(2, 5); i > 0; i--)
        {
            await site.PayAsync($"{slot}-{i}");
        }

        if (random.Next(3) == 0)
        {
            await site.PayAsync($"{slot}-1");
        }

        if (random.Next(5) == 0)
        {
            await site.PayAsync($"{slot}-1", json: "[]");
        }

        if (random.Next(4) == 0)
        {
            await site.PayAsync($"{slot}", "/refunds");
        }

        if (slot % 10 == 0)
        {
            await executor.ExecuteAsync("nightly-settlement", $"{slot}", static (_, _) => Task.CompletedTask);
        }
    }

    private static async Task TakeAsync(IPage page, string name)
    {
        var folder = Chosen.Length > 0 ? Path.Combine(Root(), Chosen) : Path.Combine(AppContext.BaseDirectory, "pictures");
        await page.ScreenshotAsync(new PageScreenshotOptions { FullPage = true, Path = Path.Combine(folder, $"{name}.png") });
    }

    private static string Root([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", ".."));
}
