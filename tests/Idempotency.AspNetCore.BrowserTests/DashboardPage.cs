using System.Globalization;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>The operators' dashboard in the words of who looks at it. It remembers what must never happen: errors, requests to elsewhere, and addresses with a key.</summary>
internal sealed class DashboardPage
{
    private readonly List<string> _errors = [];
    private readonly List<string> _addresses = [];

    public DashboardPage(IPage page)
    {
        Page = page;
        page.PageError += (_, error) => _errors.Add(error);
        page.Request += (_, request) => _addresses.Add(request.Url);
        page.Console += (_, message) =>
        {
            // The browser itself notes every 4xx and every connection that ends; what the policy of the page forbids is noted there, too.
            if (message.Type == "error" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal))
            {
                _errors.Add(message.Text);
            }
        };
    }

    public IPage Page { get; }

    public IReadOnlyList<string> Errors => _errors;

    /// <summary>Every address that the page asked for.</summary>
    public IReadOnlyList<string> Addresses => _addresses;

    /// <summary>How often the operator has clicked.</summary>
    public int Clicks { get; private set; }

    public ILocator Connection => Page.Locator("#connection");

    public ILocator Result => Page.Locator("#result");

    public ILocator Record => Page.Locator("#record");

    public ILocator Cases => Page.Locator("#attention > li");

    public ILocator Rows => Page.Locator("#sources tbody tr");

    public ILocator Running => Page.Locator("#running > li");

    public ILocator Confirmation => Page.GetByRole(AriaRole.Dialog);

    public ILocator Field(string label) => Page.Locator("input:not([type=radio])").And(Page.GetByLabel(label, new PageGetByLabelOptions { Exact = true }));

    public ILocator Choice(string option) => Page.GetByRole(AriaRole.Radio, new PageGetByRoleOptions { Name = option, Exact = true });

    public ILocator Button(string name) => Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = name });

    public ILocator Tile(string name) => Page.Locator("#tiles > div").Filter(new LocatorFilterOptions { Has = Page.GetByText(name, new PageGetByTextOptions { Exact = true }) }).Locator("dd").First;

    public async Task OpenAsync(Uri address)
    {
        await Page.GotoAsync(address.ToString());
        await Expect(Connection).ToContainTextAsync("Live");
    }

    public Task SeeAsync(string tile, int count) => Expect(Tile(tile)).ToHaveTextAsync(count.ToString(CultureInfo.InvariantCulture));

    public async Task ClickAsync(ILocator target)
    {
        Clicks++;
        await target.ClickAsync();
    }

    public async Task TypeAsync(string label, string text)
    {
        await Field(label).FocusAsync();
        await Page.Keyboard.TypeAsync(text);
    }

    /// <summary>Looks a request of an anonymous caller up.</summary>
    public async Task LookUpAsync(string path, string key)
    {
        await Field("Path").FillAsync(path);
        await Field("Idempotency key").FillAsync(key);
        await Button("Look up").ClickAsync();
    }
}
