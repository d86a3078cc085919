using System.Net;
using Idempotency.AspNetCore.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>What an operator sees of an API with users, and what nobody else does.</summary>
public sealed class DashboardTests(Chromium chromium)
{
    private const string Hostile = "<img src=x onerror=\"document.title='attacked'\"></script><script>document.title='attacked'</script>";

    // A form can send JSON, as the text of a field.
    private const string SubmitForm = """
        ([target, storeKey]) => {
          const form = Object.assign(document.createElement('form'), { method: 'POST', action: target, enctype: 'text/plain' });
          form.append(Object.assign(document.createElement('input'), { name: `{"storeKey":"${storeKey}","x":"`, value: '"}' }));
          document.documentElement.append(form);
          form.submit();
        }
        """;

    [Fact]
    public async Task Numbers_move_with_traffic_and_handlers_that_run_are_there()
    {
        var gate = new Gate();
        await using var site = await OperatorsSite.StartAsync(app => app.MapPost("/slow", gate.PassAsync).WithIdempotency());
        await using var context = await chromium.NewContextAsync(1280, 900);
        var dashboard = await site.SignInAsync(context);
        await dashboard.OpenAsync(new Uri(site.Address, "/idempotency"));
        await Expect(dashboard.Rows).ToHaveCountAsync(0);
        await Expect(dashboard.Page.GetByText("Nothing.")).ToBeVisibleAsync();
        await site.PayAsync("1");
        await site.PayAsync("1");
        await site.PayAsync("1", json: "[]");
        await dashboard.SeeAsync("Executed", 1);
        await dashboard.SeeAsync("Replayed", 1);
        await dashboard.SeeAsync("Rejected", 1);
        await Expect(dashboard.Rows).ToHaveCountAsync(1);
        await Expect(dashboard.Rows.First).ToContainTextAsync("/payments");
        await Expect(dashboard.Rows.First).ToContainTextAsync("1 × idempotency-key-reused");
        await Expect(dashboard.Rows.First.GetByRole(AriaRole.Img)).ToHaveAttributeAsync("aria-label", new System.Text.RegularExpressions.Regex("/payments, last 15 minutes: 1 executed, 1 replayed, 1 rejected"));
        await Expect(dashboard.Page.GetByRole(AriaRole.Table, new PageGetByRoleOptions { Name = "Store" })).ToContainTextAsync("claim");

        var slow = site.PayAsync("slow", "/slow");
        await gate.ArrivedAsync();
        await Expect(dashboard.Running).ToHaveCountAsync(1);
        await Expect(dashboard.Running).ToContainTextAsync("of 1 min 0 s lease left");
        await dashboard.Running.GetByRole(AriaRole.Button).ClickAsync();
        await Expect(dashboard.Result).ToContainTextAsync("It is running now, in attempt 1.");
        gate.Open();
        await slow;
        await Expect(dashboard.Running).ToHaveCountAsync(0);
        await dashboard.SeeAsync("Executed", 2);
        Assert.Empty(dashboard.Errors);
    }

    [Theory]
    [InlineData("client", 403)]
    [InlineData(null, 401)]
    public async Task A_caller_without_the_policy_sees_the_refusal_and_nothing_else(string? role, int status)
    {
        await using var site = await OperatorsSite.StartAsync();
        await using var context = await chromium.NewContextAsync(800, 600);
        var page = role is null ? await context.NewPageAsync() : (await site.SignInAsync(context, role)).Page;
        foreach (var path in new[] { "", "/", "/dashboard.js", "/numbers", "/attention" })
        {
            // The browser shows a page of its own for a response without content, so the response is looked at.
            var response = await page.APIRequest.GetAsync(new Uri(site.Address, "/idempotency" + path).ToString());
            Assert.Equal(status, response.Status);
            Assert.Empty(await response.BodyAsync());
        }
    }

    [Fact]
    public async Task An_operator_who_is_signed_out_meanwhile_is_told_so()
    {
        await using var site = await OperatorsSite.StartAsync();
        await using var context = await chromium.NewContextAsync(800, 600);
        var dashboard = await site.SignInAsync(context);
        await dashboard.OpenAsync(new Uri(site.Address, "/idempotency/"));
        await context.ClearCookiesAsync();
        await dashboard.LookUpAsync("/payments", "1");
        await Expect(dashboard.Result).ToHaveTextAsync("You are signed out, or not allowed to see this. Reload the page.");
    }

    [Fact]
    public async Task Forgetting_is_confirmed_with_the_keyboard_and_lets_the_next_request_run()
    {
        await using var site = await OperatorsSite.StartAsync();
        await using var context = await chromium.NewContextAsync(1280, 900);
        var dashboard = await site.SignInAsync(context);
        await dashboard.OpenAsync(new Uri(site.Address, "/idempotency/"));
        await site.PayAsync("order-7");
        await dashboard.SeeAsync("Executed", 1);
        await dashboard.TypeAsync("Path", "/payments");
        await dashboard.Page.Keyboard.PressAsync("Tab");
        await dashboard.Page.Keyboard.TypeAsync("order-7");
        await dashboard.Page.Keyboard.PressAsync("Enter");
        await Expect(dashboard.Result).ToContainTextAsync("Yes. The handler ran, and its response (201) is recorded.");
        await Expect(dashboard.Result).ToContainTextAsync("No, unless the operation must happen once more.");
        await Expect(dashboard.Record).ToContainTextAsync("Location");
        await Expect(dashboard.Record).Not.ToContainTextAsync("secret");
        await Expect(dashboard.Record).Not.ToContainTextAsync("/payments/1");

        await dashboard.Button("Forget the record").FocusAsync();
        await dashboard.Page.Keyboard.PressAsync("Enter");
        await Expect(dashboard.Confirmation).ToContainTextAsync("The next request with this key runs the handler once more. Nothing that was done is undone.");
        await Expect(dashboard.Button("Keep it")).ToBeFocusedAsync();
        await dashboard.Page.Keyboard.PressAsync("Escape");
        await Expect(dashboard.Confirmation).ToBeHiddenAsync();
        await site.PayAsync("order-7");
        await dashboard.SeeAsync("Replayed", 1);

        await dashboard.Page.Keyboard.PressAsync("Enter");
        await dashboard.Page.Keyboard.PressAsync("Tab");
        await Expect(dashboard.Button("Forget it")).ToBeFocusedAsync();
        await dashboard.Page.Keyboard.PressAsync("Enter");
        await Expect(dashboard.Result).ToHaveTextAsync("Forgotten. The next request with this key runs.");
        await site.PayAsync("order-7");
        await dashboard.SeeAsync("Executed", 2);
        Assert.DoesNotContain(dashboard.Addresses, static address => address.Contains("order-7", StringComparison.Ordinal));
        Assert.All(dashboard.Addresses, address => Assert.StartsWith(site.Address.ToString(), address, StringComparison.Ordinal)); // none of a third party
        Assert.Empty(dashboard.Errors);
    }

    [Fact]
    public async Task Another_site_cannot_forget_in_the_name_of_a_signed_in_operator()
    {
        await using var site = await OperatorsSite.StartAsync();
        await using var evil = await OperatorsSite.StartAsync(static app => app.MapGet("/elsewhere", static () => "Another site.")); // another port of the same host: the browser sends the cookie
        await using var context = await chromium.NewContextAsync(800, 600);
        var dashboard = await site.SignInAsync(context);
        await site.PayAsync("order-7");
        var records = site.Services.GetRequiredService<IIdempotencyRecords>();
        var key = records.StoreKeyOf(new() { Method = "POST", Path = "/payments", Key = "order-7" });
        await dashboard.Page.GotoAsync(new Uri(evil.Address, "/elsewhere").ToString());
        var target = new Uri(site.Address, "/idempotency/forget").ToString();
        var status = await dashboard.Page.EvaluateAsync<int>(
            "async ([target, storeKey]) => (await fetch(target, { method: 'POST', credentials: 'include', headers: { 'Content-Type': 'application/json', 'Idempotency-Dashboard': '1' }, body: JSON.stringify({ storeKey }) })).status",
            new[] { target, key.ToString() });
        Assert.Equal(403, status); // the application's CORS policy lets the script in; the dashboard does not
        var submitted = await dashboard.Page.RunAndWaitForResponseAsync(
            () => dashboard.Page.EvaluateAsync(SubmitForm, new[] { target, key.ToString() }),
            target);
        Assert.Equal(403, submitted.Status);
        Assert.NotNull(await records.FindAsync(key));
    }

    [Fact]
    public async Task Names_that_are_scripts_are_shown_as_text_and_everything_fits_a_phone()
    {
        await using var site = await OperatorsSite.StartAsync(static app => app.MapPost("/subscribe", static async (IIdempotentRun run) =>
        {
            await run.StepAsync(Hostile, static _ => Task.CompletedTask);
            return Results.StatusCode(503);
        }).WithIdempotency());
        await using var context = await chromium.NewContextAsync(390, 780, ColorScheme.Dark);
        var dashboard = await site.SignInAsync(context);
        await dashboard.OpenAsync(new Uri(site.Address, "/idempotency/"));
        await site.Services.GetRequiredService<IIdempotentExecutor>().ExecuteAsync(Hostile, "key", static (_, _) => Task.CompletedTask);
        await site.PayAsync("1", "/subscribe");
        await site.PayAsync(new string('k', 200));
        await Expect(dashboard.Rows).ToHaveCountAsync(3);
        await Expect(dashboard.Rows.Filter(new LocatorFilterOptions { HasText = "onerror" })).ToContainTextAsync(Hostile);
        await dashboard.Button("Check again").ClickAsync();
        await Expect(dashboard.Cases).ToHaveCountAsync(1);
        await Expect(dashboard.Cases).ToContainTextAsync("a retry resumes it");
        await Expect(dashboard.Cases).ToContainTextAsync(Hostile);
        await Expect(dashboard.Page).ToHaveTitleAsync("(1) Idempotency dashboard");
        await dashboard.Cases.GetByRole(AriaRole.Button).ClickAsync();
        await Expect(dashboard.Record).ToContainTextAsync(Hostile);
        Assert.Empty(dashboard.Errors);

        foreach (var width in new[] { 390, 360 })
        {
            await dashboard.Page.SetViewportSizeAsync(width, 780);
            Assert.Equal(width, await dashboard.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        }

        // Everything that can be used has a name for a screen reader, and is large enough for a finger.
        foreach (var control in await dashboard.Page.Locator("button:visible, input:not([type=radio]):visible").AllAsync())
        {
            var name = await control.EvaluateAsync<string>("control => control.getAttribute('aria-label') ?? control.labels?.[0]?.textContent ?? control.textContent");
            var box = await control.BoundingBoxAsync();
            Assert.False(string.IsNullOrWhiteSpace(name));
            Assert.True(box is { Height: >= 34 } && box.X >= 0 && box.X + box.Width <= 360, $"'{name}' is too small, or not inside the page.");
        }
    }

    [Fact]
    public async Task Below_a_path_base_and_behind_a_proxy_that_adds_a_prefix_and_holds_streams_back_it_works_by_polling()
    {
        await using var site = await OperatorsSite.StartAsync(outer: static app => app.UsePathBase("/base"));
        await using var proxy = await PrefixProxy.StartAsync(site.Address);
        await using var context = await chromium.NewContextAsync(1280, 900);
        var page = await context.NewPageAsync();
        await page.GotoAsync(new Uri(proxy.Address, "/shop/base/sign-in/operator").ToString());
        var dashboard = new DashboardPage(page);
        await dashboard.OpenAsync(new Uri(proxy.Address, "/shop/base/idempotency"));
        Assert.Equal(new Uri(proxy.Address, "/shop/base/idempotency/").ToString(), page.Url);
        await Expect(dashboard.Connection).ToContainTextAsync("Live, by polling");
        await site.PayAsync("order-7", "/base/payments");
        await dashboard.SeeAsync("Executed", 1);
        await dashboard.LookUpAsync("/base/payments", "order-7");
        await Expect(dashboard.Result).ToContainTextAsync("Yes. The handler ran");
        await dashboard.Button("Forget the record").ClickAsync();
        await dashboard.Button("Forget it").ClickAsync();
        await Expect(dashboard.Result).ToHaveTextAsync("Forgotten. The next request with this key runs.");
        Assert.All(dashboard.Addresses, address => Assert.StartsWith(new Uri(proxy.Address, "/shop/base/").ToString(), address, StringComparison.Ordinal));
        Assert.Empty(dashboard.Errors);
    }

    [Fact]
    public async Task A_link_with_a_stored_key_opens_the_record_without_telling_the_server_in_an_address()
    {
        await using var site = await OperatorsSite.StartAsync();
        await using var context = await chromium.NewContextAsync(800, 600);
        await site.PayAsync("order-7");
        var key = site.Services.GetRequiredService<IIdempotencyRecords>().StoreKeyOf(new() { Method = "POST", Path = "/payments", Key = "order-7" });
        var dashboard = await site.SignInAsync(context);
        await dashboard.OpenAsync(new Uri(site.Address, $"/idempotency/#{key}"));
        await Expect(dashboard.Result).ToContainTextAsync("Yes. The handler ran");
        await Expect(dashboard.Field("Stored key")).ToHaveValueAsync(key.ToString());
    }

    [Fact]
    public async Task Paused_it_stands_still_until_it_is_told_to_go_on()
    {
        await using var site = await OperatorsSite.StartAsync();
        await using var context = await chromium.NewContextAsync(800, 600);
        var dashboard = await site.SignInAsync(context);
        await dashboard.OpenAsync(new Uri(site.Address, "/idempotency/"));
        await dashboard.Button("Pause").ClickAsync();
        await Expect(dashboard.Connection).ToHaveTextAsync("Paused");
        await Expect(dashboard.Button("Pause")).ToHaveAttributeAsync("aria-pressed", "true");
        await site.PayAsync("1");
        await dashboard.SeeAsync("Executed", 0);
        await dashboard.Button("Pause").ClickAsync();
        await dashboard.SeeAsync("Executed", 1);
    }
}
