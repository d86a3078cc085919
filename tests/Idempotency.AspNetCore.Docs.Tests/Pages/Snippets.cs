using System.Text.RegularExpressions;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>
/// The code on the pages. A fence behind <c>&lt;!-- snippet: name --&gt;</c> shows the region <c>#region docs: name</c> of a test project or a sample, which is compiled, and which that project's tests run.
/// </summary>
internal static partial class Snippets
{
    private static readonly Lazy<IReadOnlyDictionary<string, string>> Found = new(FindAll);

    /// <summary>The regions, by name, without their indentation.</summary>
    public static IReadOnlyDictionary<string, string> All => Found.Value;

    /// <summary>The page with each snippet as its region has it.</summary>
    public static string Update(string page) => Marked().Replace(page, fence =>
        All.TryGetValue(fence.Groups["name"].Value, out var code) ? $"{fence.Groups["marker"].Value}```csharp\n{code}```\n" : fence.Value);

    /// <summary>The names of a page's snippets, in order.</summary>
    public static IEnumerable<string> On(string page) => Marked().Matches(page).Select(match => match.Groups["name"].Value);

    /// <summary>How many C# fences a page has that are not meant to run, such as the mistakes that an analyzer finds: <c>&lt;!-- not run: reason --&gt;</c> says why.</summary>
    public static int NotRun(string page) => Excused().Count(page);

    /// <summary>How many C# fences a page has, marked or not.</summary>
    public static int Fences(string page) => Fence().Count(page);

    /// <summary>The content of the JSON fence behind <c>&lt;!-- json: name --&gt;</c>: a test reads it from the page.</summary>
    public static string Json(string page, string name) =>
        Regex.Match(page, $"<!-- json: {Regex.Escape(name)} -->\n```json\n(?<json>.*?)```\n", RegexOptions.Singleline) is { Success: true } match
            ? match.Groups["json"].Value
            : throw new InvalidOperationException($"The page has no JSON named '{name}'.");

    private static Dictionary<string, string> FindAll()
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var folder in new[] { "tests", "samples" })
        {
            foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.cs", SearchOption.AllDirectories))
            {
                if (file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"))
                {
                    continue;
                }

                foreach (Match region in Region().Matches(File.ReadAllText(file)))
                {
                    Assert.True(found.TryAdd(region.Groups["name"].Value, WithoutIndentation(region.Groups["code"].Value)), $"There are two snippets '{region.Groups["name"].Value}'.");
                }
            }
        }

        return found;
    }

    private static string WithoutIndentation(string code)
    {
        var lines = code.Split('\n').SkipWhile(string.IsNullOrWhiteSpace).Reverse().SkipWhile(string.IsNullOrWhiteSpace).Reverse().ToList();
        var indentation = lines.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart(' ').Length);
        return string.Concat(lines.Select(line => (line.Length > indentation ? line[indentation..] : "") + "\n"));
    }

    [GeneratedRegex("(?<marker><!-- snippet: (?<name>[a-z0-9-]+) -->\n)```csharp\n.*?```\n", RegexOptions.Singleline)]
    private static partial Regex Marked();

    [GeneratedRegex("<!-- not run: [^\n]{10,} -->\n```csharp\n")]
    private static partial Regex Excused();

    [GeneratedRegex("^```csharp", RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex("^ *#region docs: (?<name>[a-z0-9-]+)\n(?<code>.*?)^ *#endregion", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Region();
}
