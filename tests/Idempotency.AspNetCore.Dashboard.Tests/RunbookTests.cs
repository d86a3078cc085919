using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Idempotency.AspNetCore.Dashboard.Tests;

/// <summary>The page and the runbook in the package's README say the same.</summary>
public sealed partial class RunbookTests
{
    private static string Readme([CallerFilePath] string path = "") => File.ReadAllText(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", "src", "Idempotency.AspNetCore.Dashboard", "README.md"));

    [Fact]
    public void Every_sentence_of_the_runbook_is_in_the_readme_and_the_other_way_around()
    {
        var runbook = typeof(IdempotencyDashboardEndpointRouteBuilderExtensions).Assembly.GetType("Idempotency.AspNetCore.Runbook")!;
        var sentences = runbook.GetFields().Where(static field => field.IsLiteral).Select(static field => (string)field.GetRawConstantValue()!);
        var chapter = Chapter().Match(Readme()).Value;
        Assert.Equal(sentences.Order(StringComparer.Ordinal), Row().Matches(chapter).Select(static row => row.Groups[1].Value).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_log_event_is_in_the_readme()
    {
        var log = typeof(IdempotencyDashboardEndpointRouteBuilderExtensions).Assembly.GetType("Idempotency.AspNetCore.DashboardLog")!;
        var readme = Readme();
        Assert.All(
            log.GetMethods().SelectMany(static method => method.GetCustomAttributes(false)).OfType<Microsoft.Extensions.Logging.LoggerMessageAttribute>(),
            entry => Assert.Contains($"| {entry.EventId} | `{entry.EventName}` | {entry.Level} |", readme, StringComparison.Ordinal));
    }

    [GeneratedRegex(@"## What needs a person\n(?s:.*?)\n## ")]
    private static partial Regex Chapter();

    [GeneratedRegex(@"(?m)^\| (?!the page says|---)[^|]+ \| ([^|]+) \|$")]
    private static partial Regex Row();
}
