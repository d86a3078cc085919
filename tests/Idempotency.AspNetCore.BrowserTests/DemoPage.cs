using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>The page in the words of a person who looks at it.</summary>
internal sealed class DemoPage(IPage page)
{
    public ILocator Rows => page.Locator("#history > li");

    public ILocator Result => page.GetByRole(AriaRole.Status);

    public ILocator AnswerHeaders => page.Locator("#answer-headers");

    public ILocator AnswerBody => page.Locator("#answer-body");

    public ILocator Key => page.Locator("#key");

    public ILocator Executions => page.Locator("#executions");

    public ILocator CacheSize => page.Locator("#cache-size");

    public ILocator Field(string label) => page.GetByLabel(label, new PageGetByLabelOptions { Exact = true });

    public ILocator Button(string name) => page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = name });

    public Task PressAsync(string button) => Button(button).ClickAsync();

    public Task ChooseAsync(string option) => page.GetByRole(AriaRole.Radio, new PageGetByRoleOptions { Name = option, Exact = true }).CheckAsync();

    public Task SwitchIdempotentModeOnAsync() => page.GetByRole(AriaRole.Switch, new PageGetByRoleOptions { Name = "Idempotent mode" }).CheckAsync();

    /// <summary>What became of the latest request, and how many rows there are with it.</summary>
    public async Task SeeAsync(int rows, string outcome, string status = "")
    {
        await Expect(Rows).ToHaveCountAsync(rows);
        await Expect(Rows.First).ToContainTextAsync(outcome);
        await Expect(Rows.First).ToContainTextAsync(status);
        await Expect(Result).ToContainTextAsync(outcome);
        await Expect(Result).ToContainTextAsync(status);
    }

    /// <summary>How often each step of the subscription ran.</summary>
    public async Task SeeStepsAsync(int charges, int welcomes)
    {
        var runs = page.GetByLabel("Runs of the steps");
        await Expect(runs).ToContainTextAsync($"Charge ran{Times(charges)}");
        await Expect(runs).ToContainTextAsync($"Welcome email ran{Times(welcomes)}");
    }

    public async Task SeeExecutionsAsync(int count)
    {
        await Expect(Executions).ToHaveTextAsync(Times(count));
        await Expect(page.Locator("#ledger > li")).ToHaveCountAsync(count);
    }

    private static string Times(int count) => count == 1 ? "1 time" : $"{count} times";
}
