using System.Text.RegularExpressions;
using Idempotency.AspNetCore.Tests;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>What a person sees who tries the sample out. Each test has a server and a browser profile of its own.</summary>
public sealed partial class DemoPageTests(Chromium chromium) : IAsyncLifetime
{
    private readonly List<string> _errors = [];
    private Sample _sample = null!;
    private IBrowserContext _context = null!;
    private IPage _page = null!;
    private DemoPage _demo = null!;

    public async ValueTask InitializeAsync()
    {
        _sample = await Sample.StartAsync(TestContext.Current.CancellationToken, FreePort.Next()); // one that stays free while the server restarts
        _context = await chromium.NewContextAsync(1280, 900);
        _page = await _context.NewPageAsync();
        var output = TestContext.Current.TestOutputHelper;
        _page.PageError += (_, error) => _errors.Add(error);
        _page.RequestFailed += (_, request) => output?.WriteLine($"{request.Method} {request.Url}: {request.Failure}");
        _page.Console += (_, message) =>
        {
            output?.WriteLine($"{message.Type}: {message.Text}");

            // The browser itself notes every 4xx there, and refusals are what this page is about.
            if (message.Type == "error" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal))
            {
                _errors.Add(message.Text);
            }
        };
        _demo = new DemoPage(_page);
        await _page.GotoAsync(_sample.Address.ToString());
        await Expect(_demo.Executions).ToHaveTextAsync("0 times");
    }

    public async ValueTask DisposeAsync()
    {
        await _context.DisposeAsync();
        _sample.Dispose();
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task Submit_executes_once_and_shows_the_whole_answer()
    {
        await _demo.PressAsync("Submit");

        await _demo.SeeAsync(1, "Executed", "201");
        await _demo.SeeExecutionsAsync(1);
        await Expect(_demo.AnswerHeaders).ToContainTextAsync("Location/payments/payment-");
        await Expect(_demo.AnswerHeaders).ToContainTextAsync("ETagW/\"");
        await Expect(_demo.AnswerHeaders).Not.ToContainTextAsync("Idempotent-Replayed");
        await Expect(_demo.AnswerBody).ToContainTextAsync("\"amount\": 42.50");
        await Expect(_demo.Rows.First).ToContainTextAsync(Latency());
    }

    [Fact]
    public async Task A_retry_is_replayed_by_the_server_and_marked()
    {
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");
        await _demo.PressAsync("Retry the request");

        await _demo.SeeAsync(2, "Replayed by the server", "201");
        await Expect(_page.Locator(".headers .marked")).ToHaveTextAsync("Idempotent-Replayedtrue");
        await Expect(_page.Locator("pre .marked")).ToContainTextAsync("\"serverCacheHit\": true");
        await _demo.SeeExecutionsAsync(1);
    }

    [Fact]
    public async Task Submitting_again_is_the_same_intent_until_the_payload_or_the_key_changes()
    {
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(2, "Replayed by the server");

        await _demo.Field("Amount").FillAsync("43");
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(3, "Executed");

        await _demo.PressAsync("New key");
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(4, "Executed");
        await _demo.SeeExecutionsAsync(3);
    }

    [Fact]
    public async Task Ten_at_once_are_one_execution()
    {
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");
        await _demo.PressAsync("Send 10 at once");

        await Expect(_demo.Rows).ToHaveCountAsync(11);
        await Expect(_demo.Result).ToContainTextAsync("Ten at once: 1 executed");
        await Expect(_demo.Rows.Filter(new LocatorFilterOptions { HasText = "of 10" }).Filter(new LocatorFilterOptions { HasText = "Executed" })).ToHaveCountAsync(1);
        await Expect(_page.Locator("#sent")).ToHaveTextAsync("11");
        await _demo.SeeExecutionsAsync(2);
    }

    [Fact]
    public async Task Another_payload_under_the_same_key_is_rejected()
    {
        await Expect(_demo.Button("Same key, different payload")).ToBeDisabledAsync();
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");
        await _demo.PressAsync("Same key, different payload");

        await _demo.SeeAsync(2, "Rejected", "422");
        await Expect(_demo.Rows.First).ToContainTextAsync("idempotency-key-reused");
        await Expect(_demo.Result).ToContainTextAsync("idempotency-key-reused");
        await _demo.SeeExecutionsAsync(1);
    }

    [Fact]
    public async Task Without_a_key_it_is_rejected()
    {
        await _demo.PressAsync("No key");

        await _demo.SeeAsync(1, "Rejected", "400");
        await Expect(_demo.Rows.First).ToContainTextAsync("idempotency-key-missing");
        await _demo.SeeExecutionsAsync(0);
    }

    [Fact]
    public async Task A_cut_connection_loses_nothing()
    {
        await _demo.PressAsync("Slow");

        await Expect(_demo.Rows.Filter(new LocatorFilterOptions { HasText = "Connection cut" })).ToHaveCountAsync(1);
        await Expect(_demo.Rows.First).ToContainTextAsync("Replayed by the server");
        await Expect(_demo.Result).ToContainTextAsync("Replayed by the server");
        await Expect(_demo.AnswerBody).ToContainTextAsync("\"execution\": 1");
        await _demo.SeeExecutionsAsync(1);

        // Submit is the same intent, so it goes where the first request went, delay and all.
        await _demo.PressAsync("Submit");
        await Expect(_demo.Rows.First).ToContainTextAsync("Submit");
        await Expect(_demo.Rows.First).ToContainTextAsync("Replayed by the server");
        await _demo.SeeExecutionsAsync(1);
    }

    [Fact]
    public async Task Revalidation_is_answered_304_without_a_body()
    {
        await Expect(_demo.Button("Revalidate")).ToBeDisabledAsync();
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");
        await _demo.PressAsync("Revalidate");

        await _demo.SeeAsync(2, "Not modified", "304");
        await Expect(_demo.AnswerBody).ToHaveCountAsync(0);
        await Expect(_page.Locator("#answer")).ToContainTextAsync("None.");
        await _demo.SeeExecutionsAsync(1);
    }

    [Fact]
    public async Task A_typed_key_is_sent_whatever_characters_it_has()
    {
        await _demo.ChooseAsync("Typed");
        await _demo.Field("Your key").FillAsync("""order "7", \ part 2; a""");
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed", "201");
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(2, "Replayed by the server", "201");

        await _demo.Field("Your key").FillAsync("""order "7", \ part 2; b""");
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(3, "Executed");
        await _demo.SeeExecutionsAsync(2);
    }

    [Fact]
    public async Task The_hash_of_the_payload_is_one_key_however_the_amount_is_written()
    {
        await _demo.ChooseAsync("Payload hash");
        await Expect(_demo.Key).ToHaveTextAsync(Sha256());
        var first = await _demo.Key.TextContentAsync();
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");

        await _demo.Field("Amount").FillAsync("42.5");
        await Expect(_demo.Key).ToHaveTextAsync(first!);
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(2, "Replayed by the server");

        await _demo.Field("Amount").FillAsync("42.51");
        await Expect(_demo.Key).Not.ToHaveTextAsync(first!);
        await _demo.SeeExecutionsAsync(1);
    }

    [Fact]
    public async Task An_order_tells_that_server_and_browser_found_the_same_key()
    {
        await _demo.ChooseAsync("/orders");
        await _demo.Field("Name").FillAsync("Zoë \"😀\" \\ Ångström");
        await _demo.Field("Amount").FillAsync("1000");
        await _demo.PressAsync("Submit");

        await _demo.SeeAsync(1, "Executed", "201");
        await Expect(_page.Locator("#order-key")).ToContainTextAsync("The server and the browser computed the same key");
        await Expect(_page.Locator("#order-key")).ToContainTextAsync((await _demo.Key.TextContentAsync())!);
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(2, "Replayed by the server");
        await _demo.SeeExecutionsAsync(1);
    }

    [Fact]
    public async Task Idempotent_mode_answers_from_the_browsers_cache_until_that_is_cleared()
    {
        await _demo.SwitchIdempotentModeOnAsync();
        await Expect(_demo.CacheSize).ToHaveTextAsync("empty");
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");
        await Expect(_demo.CacheSize).ToHaveTextAsync(OneAnswer());

        await _demo.PressAsync("Retry the request");
        await _demo.SeeAsync(2, "From the browser cache", "201");
        await Expect(_page.Locator("#sent")).ToHaveTextAsync("1");
        await Expect(_demo.AnswerBody).ToContainTextAsync("\"execution\": 1");

        await _demo.PressAsync("Clear cache");
        await Expect(_demo.CacheSize).ToHaveTextAsync("empty");
        await _demo.PressAsync("Retry the request");
        await _demo.SeeAsync(3, "Replayed by the server");
        await _demo.SeeExecutionsAsync(1);
    }

    [Fact]
    public async Task Without_idempotent_mode_the_browsers_cache_is_neither_read_nor_written()
    {
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");
        await Expect(_demo.CacheSize).ToHaveTextAsync("empty");

        await _demo.SwitchIdempotentModeOnAsync();
        await _demo.PressAsync("Retry the request");
        await _demo.SeeAsync(2, "Replayed by the server");
        await Expect(_demo.CacheSize).ToHaveTextAsync(OneAnswer());

        await _page.GetByRole(AriaRole.Switch).UncheckAsync();
        await _demo.PressAsync("Retry the request");
        await _demo.SeeAsync(3, "Replayed by the server");
    }

    [Fact]
    public async Task The_browsers_cache_does_not_answer_another_payload_under_the_same_key()
    {
        await _demo.SwitchIdempotentModeOnAsync();
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");
        await _demo.PressAsync("Same key, different payload");

        await _demo.SeeAsync(2, "Rejected", "422");
    }

    [Fact]
    public async Task The_browsers_cache_does_not_outlive_the_servers_retention()
    {
        await _page.Clock.InstallAsync();
        await _page.ReloadAsync();
        await _demo.SwitchIdempotentModeOnAsync();
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");
        await Expect(_demo.CacheSize).ToHaveTextAsync(OneAnswer());

        await _page.Clock.FastForwardAsync("23:59:00");
        await _demo.PressAsync("Retry the request");
        await _demo.SeeAsync(2, "From the browser cache");

        await _page.Clock.FastForwardAsync("00:01:01");
        await Expect(_demo.CacheSize).ToHaveTextAsync("empty");
        await _demo.PressAsync("Retry the request");
        await _demo.SeeAsync(3, "Replayed by the server"); // only this browser's clock has moved on
    }

    [Fact]
    public async Task What_a_server_said_before_its_restart_is_forgotten()
    {
        await _demo.SwitchIdempotentModeOnAsync();
        await _demo.ChooseAsync("Payload hash");
        await Expect(_demo.Key).ToHaveTextAsync(Sha256());
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");

        var port = _sample.Address.Port;
        _sample.Dispose();
        _sample = await Sample.StartAsync(TestContext.Current.CancellationToken, port);

        await Expect(_demo.CacheSize).ToHaveTextAsync("empty");
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(2, "Executed");
        await _demo.SeeExecutionsAsync(1);
    }

    [Fact]
    public async Task A_subscription_that_failed_after_its_charge_resumes_there()
    {
        await Expect(_demo.Button("Retry the subscription")).ToBeDisabledAsync();
        await _demo.PressAsync("Fail after the charge");
        await _demo.SeeAsync(1, "Failed", "503");
        await Expect(_demo.Result).ToContainTextAsync("The card is charged");
        await _demo.SeeStepsAsync(charges: 1, welcomes: 0);

        await _demo.PressAsync("Retry the subscription");
        await _demo.SeeAsync(2, "Executed", "201");
        await Expect(_demo.AnswerBody).ToContainTextAsync("\"attempt\": 2");
        await _demo.SeeStepsAsync(charges: 1, welcomes: 1);

        await _demo.Button("Retry the subscription").FocusAsync();
        await _page.Keyboard.PressAsync("Enter");
        await _demo.SeeAsync(3, "Replayed by the server", "201");
        await _demo.SeeStepsAsync(charges: 1, welcomes: 1);
        await _demo.SeeExecutionsAsync(1);

        await _demo.PressAsync("Fail after the charge"); // another subscription
        await _demo.SeeAsync(4, "Failed", "503");
        await _demo.SeeStepsAsync(charges: 1, welcomes: 0);
        await _demo.SeeExecutionsAsync(2);
    }

    [Fact]
    public async Task A_bad_form_is_not_sent()
    {
        await _demo.Field("Name").FillAsync("  ");
        await _demo.Field("Email").FillAsync("ada@");
        await _demo.Field("Amount").FillAsync("0");
        await _demo.ChooseAsync("Typed");
        await _demo.Field("Your key").FillAsync("clé");
        foreach (var button in new[] { "Submit", "Send 10 at once", "Slow", "No key", "Fail after the charge" })
        {
            await _demo.PressAsync(button);
            await Expect(_demo.Field("Name")).ToBeFocusedAsync();
        }

        await Expect(_page.GetByText("Enter a name.")).ToBeVisibleAsync();
        await Expect(_page.GetByText("Enter an address such as ada@example.com.")).ToBeVisibleAsync();
        await Expect(_page.GetByText("Enter an amount greater than zero.")).ToBeVisibleAsync();
        await Expect(_page.GetByText("Enter 1 to 255 printable ASCII characters.")).ToBeVisibleAsync();
        await Expect(_demo.Field("Amount")).ToHaveAttributeAsync("aria-invalid", "true");
        await Expect(_page.Locator("#sent")).ToHaveTextAsync("0");

        await _demo.Field("Amount").FillAsync("ten");
        await Expect(_page.GetByText("Enter a number such as 42.50.")).ToBeVisibleAsync();
        await _demo.Field("Amount").FillAsync("10");
        await Expect(_demo.Field("Amount")).Not.ToHaveAttributeAsync("aria-invalid", "true");
        await _demo.Field("Name").FillAsync("Ada");
        await _demo.Field("Email").FillAsync("ada@example.com");
        await _demo.Field("Your key").FillAsync("key");
        await _demo.PressAsync("Submit");
        await _demo.SeeAsync(1, "Executed");
        await Expect(_page.Locator("[aria-invalid]")).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task It_can_be_used_with_the_keyboard_alone()
    {
        await TabToAsync("Name");
        await _page.Keyboard.PressAsync("Control+A");
        await _page.Keyboard.TypeAsync("Grace Hopper");
        await _page.Keyboard.PressAsync("Tab");
        await Expect(_demo.Field("Email")).ToBeFocusedAsync();
        await _page.Keyboard.PressAsync("Tab");
        await Expect(_demo.Field("Amount")).ToBeFocusedAsync();
        await _page.Keyboard.PressAsync("Tab");
        await _page.Keyboard.PressAsync("ArrowRight");
        await Expect(_demo.Key).ToHaveTextAsync(Sha256());
        await _page.Keyboard.PressAsync("Tab");
        await Expect(_demo.Button("Submit")).ToBeFocusedAsync();
        await _page.Keyboard.PressAsync("Enter");
        await _demo.SeeAsync(1, "Executed");
        await Expect(_demo.AnswerBody).ToContainTextAsync("Grace Hopper");

        await _page.Keyboard.PressAsync("Tab");
        await Expect(_demo.Button("Retry the request")).ToBeFocusedAsync();
        await _page.Keyboard.PressAsync("Space");
        await _demo.SeeAsync(2, "Replayed by the server");

        var mode = _page.GetByRole(AriaRole.Switch);
        await mode.FocusAsync();
        await _page.Keyboard.PressAsync("Space");
        await Expect(mode).ToBeCheckedAsync();
    }

    [Theory]
    [InlineData(390)]
    [InlineData(360)]
    public async Task It_fits_a_phone(int width)
    {
        await _page.SetViewportSizeAsync(width, 780);
        await _demo.ChooseAsync("Payload hash");
        await _demo.PressAsync("Send 10 at once");
        await Expect(_demo.Rows).ToHaveCountAsync(10);
        await _demo.PressAsync("Same key, different payload");
        await _demo.SeeAsync(11, "Rejected");

        Assert.Equal(width, await _page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        foreach (var button in await _page.GetByRole(AriaRole.Button).AllAsync())
        {
            var box = await button.BoundingBoxAsync();
            var isInside = box is { X: >= 0, Height: >= 34 } && box.X + box.Width <= width;
            Assert.True(isInside, $"The button '{await button.TextContentAsync()}' is too small, or not inside the page.");
        }
    }

    private async Task TabToAsync(string label)
    {
        for (var presses = 0; presses < 10; presses++)
        {
            await _page.Keyboard.PressAsync("Tab");
            if (await _demo.Field(label).EvaluateAsync<bool>("field => field === document.activeElement"))
            {
                return;
            }
        }

        Assert.Fail($"'{label}' is not reached with the Tab key.");
    }

    [GeneratedRegex("^[0-9a-f]{64}$")]
    private static partial Regex Sha256();

    [GeneratedRegex("^1 response, [0-9.]+ (bytes|kB)$")]
    private static partial Regex OneAnswer();

    [GeneratedRegex("[0-9.]+ ms")]
    private static partial Regex Latency();
}
