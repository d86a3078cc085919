using Microsoft.Playwright;
using Xunit;

[assembly: AssemblyFixture(typeof(Idempotency.AspNetCore.BrowserTests.Chromium))]

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>One browser for all tests; each opens a context of its own, which shares nothing with another's.</summary>
public sealed class Chromium : IAsyncLifetime
{
    private const string PathVariable = "IDEMPOTENCY_TEST_CHROMIUM";

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async ValueTask InitializeAsync()
    {
        var path = Find();
        Assertions.SetDefaultExpectTimeout(20_000); // a deadline, for machines that do much else; nothing waits for it that does not fail
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = path,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    public Task<IBrowserContext> NewContextAsync(int width, int height, ColorScheme colors = ColorScheme.Light, float scale = 1, bool hasTouch = false) =>
        _browser!.NewContextAsync(new BrowserNewContextOptions
        {
            ViewportSize = new ViewportSize { Width = width, Height = height },
            Locale = "en-GB",
            ColorScheme = colors,
            DeviceScaleFactor = scale,
            HasTouch = hasTouch,
            ReducedMotion = ReducedMotion.Reduce,
        });

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
    }

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable(PathVariable) is { Length: > 0 } chosen)
        {
            return File.Exists(chosen) ? chosen : throw new InvalidOperationException($"The environment variable {PathVariable} is '{chosen}', where there is no file. Set it to the path of a Chromium or Chrome.");
        }

        var onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "chromium"));
        return onPath.Prepend("/usr/bin/chromium").FirstOrDefault(File.Exists)
            ?? throw new InvalidOperationException($"There is no Chromium at /usr/bin/chromium or on the PATH. Install it (on Debian: apt-get install chromium), or set {PathVariable} to the path of a Chromium or Chrome.");
    }
}
