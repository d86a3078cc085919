using System.Net.Http.Json;
using System.Text.Json;
using Xunit;

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>What an operator of the sample can set, and is told when it is wrong.</summary>
public sealed class SampleStartTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Retention_comes_from_the_configuration()
    {
        using var sample = await Sample.StartAsync(Cancellation);

        Assert.Equal(86400, await RetentionAsync(sample));
    }

    [Fact]
    public async Task CACHE_TIME_IN_SECONDS_overrules_the_configured_retention()
    {
        using var sample = await Sample.StartAsync(Cancellation, environment: new Dictionary<string, string> { ["CACHE_TIME_IN_SECONDS"] = "90061" });

        Assert.Equal(90061, await RetentionAsync(sample));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("1h")]
    public async Task CACHE_TIME_IN_SECONDS_that_is_no_time_stops_the_start_and_says_what_to_write(string seconds)
    {
        var (exitCode, output) = await Sample.FailToStartAsync(new Dictionary<string, string> { ["CACHE_TIME_IN_SECONDS"] = seconds }, Cancellation);

        Assert.NotEqual(0, exitCode);
        Assert.Contains($"The environment variable CACHE_TIME_IN_SECONDS is '{seconds}'. Set it to a whole number of seconds more than 0", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_store_stops_the_start_and_names_the_known_ones()
    {
        var (exitCode, output) = await Sample.FailToStartAsync(new Dictionary<string, string> { ["Store"] = "Floppy" }, Cancellation);

        Assert.NotEqual(0, exitCode);
        Assert.Contains("The setting 'Store' is 'Floppy'. Set it to one of: Database, InMemory", output, StringComparison.Ordinal);
    }

    private static async Task<double> RetentionAsync(Sample sample)
    {
        using var client = new HttpClient { BaseAddress = sample.Address };
        var settings = await client.GetFromJsonAsync<JsonElement>(new Uri("/demo/settings", UriKind.Relative), Cancellation);
        return settings.GetProperty("retentionSeconds").GetDouble();
    }
}
