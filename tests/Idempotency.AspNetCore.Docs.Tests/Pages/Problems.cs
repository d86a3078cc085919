using System.Text.Json;
using System.Text.RegularExpressions;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The bodies of problems in the pages' transcripts.</summary>
internal static partial class Problems
{
    /// <summary>The page with the title and the detail that the library gives each problem. One that is right already stays as it is.</summary>
    public static string Update(string page) => Body().Replace(page, body =>
    {
        var problems = IdempotencyProblem.All.Where(problem => problem.Code == body.Groups["code"].Value).ToList();
        Assert.True(problems.Count > 0, $"There is no problem '{body.Groups["code"].Value}'.");
        return problems.SelectMany(problem => new[] { Text(problem, text => text), Text(problem, Escaped) }).Any(text => text == body.Value) ? body.Value : Text(problems[0], Escaped);
    });

    private static string Text(IdempotencyProblem problem, Func<string, string> write) =>
        $"\"title\":\"{write(problem.Title)}\",\"status\":{problem.Status},\"detail\":\"{write(problem.Detail)}\",\"code\":\"{problem.Code}\",\"retry\":\"{problem.Retry}\"";

    // As the library writes without AddProblemDetails(): an apostrophe is \u0027.
    private static string Escaped(string text) => JsonEncodedText.Encode(text).ToString();

    [GeneratedRegex("\"title\":\"[^\"]*\",\"status\":[0-9]+,\"detail\":\"[^\"]*\",\"code\":\"(?<code>idempotency-[a-z-]+)\",\"retry\":\"[a-z-]+\"")]
    private static partial Regex Body();
}
