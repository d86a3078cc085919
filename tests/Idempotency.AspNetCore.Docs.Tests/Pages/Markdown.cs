using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>What the tests need of a page's Markdown.</summary>
internal static partial class Markdown
{
    /// <summary>The page without its fenced and indented code.</summary>
    public static string Prose(string page) => IndentedCode().Replace(Fenced().Replace(page, ""), "");

    /// <summary>The targets of a page's links and images.</summary>
    public static IEnumerable<string> Links(string page) => Link().Matches(InlineCode().Replace(Prose(page), "")).Select(match => match.Groups["to"].Value);

    /// <summary>The anchors of a page's headings, as GitHub and docfx make them.</summary>
    public static ISet<string> Anchors(string page)
    {
        var anchors = new HashSet<string>(StringComparer.Ordinal);
        foreach (Match heading in Heading().Matches(Fenced().Replace(page, "")))
        {
            var anchor = Anchor(heading.Groups["text"].Value);
            var free = anchor;
            for (var i = 1; !anchors.Add(free); i++)
            {
                free = string.Create(CultureInfo.InvariantCulture, $"{anchor}-{i}");
            }
        }

        return anchors;
    }

    /// <summary>The sections of a page: the heading's text, and what stands under it up to the next heading.</summary>
    public static IReadOnlyList<(int Level, string Heading, string Text)> Sections(string page)
    {
        var text = Fenced().Replace(page, "");
        var headings = Heading().Matches(text).ToList();
        return [.. headings.Select((heading, i) => (heading.Groups["level"].Value.Length, heading.Groups["text"].Value.Trim(), text[(heading.Index + heading.Length)..(i + 1 < headings.Count ? headings[i + 1].Index : text.Length)].Trim()))];
    }

    /// <summary>The tables behind <c>&lt;!-- defaults: Type --&gt;</c>: the type, and the first two cells of each row.</summary>
    public static IEnumerable<(string Type, IReadOnlyList<(string Name, string Default)> Rows)> DefaultTables(string page) => Defaults().Matches(page).Select(match =>
        (match.Groups["type"].Value, (IReadOnlyList<(string, string)>)[.. match.Groups["rows"].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Cells).Select(cells => (cells[0].Trim('`'), cells[1]))]));

    /// <summary>How many tables have a column of defaults.</summary>
    public static int TablesWithDefaults(string page) => DefaultHeader().Count(page);

    /// <summary>The cells of a table's row.</summary>
    public static string[] Cells(string row) => [.. row.Trim().Trim('|').Replace(@"\|", "\0", StringComparison.Ordinal).Split('|').Select(cell => cell.Trim().Replace('\0', '|'))];

    private static string Anchor(string heading)
    {
        var anchor = new StringBuilder();
        foreach (var character in LinkText().Replace(heading, "${text}").Trim().ToLowerInvariant())
        {
            if (char.IsLetterOrDigit(character) || character is '-' or '_')
            {
                anchor.Append(character);
            }
            else if (character == ' ')
            {
                anchor.Append('-');
            }
        }

        return anchor.ToString();
    }

    [GeneratedRegex("^```.*?^```\n?", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fenced();

    [GeneratedRegex("(?<=\n\n)(    .*\n)+")]
    private static partial Regex IndentedCode();

    [GeneratedRegex("`[^`\n]+`")]
    private static partial Regex InlineCode();

    [GeneratedRegex(@"\]\((?<to>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\[(?<text>[^\]]+)\]\([^)]+\)")]
    private static partial Regex LinkText();

    [GeneratedRegex("^(?<level>#{1,6}) (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"<!-- defaults: (?<type>\w+) -->\n\|[^\n]*\n\|[-| :]+\n(?<rows>(\|[^\n]*\n?)+)")]
    private static partial Regex Defaults();

    [GeneratedRegex(@"^\| (setting|option|`options`) \| default \|", RegexOptions.Multiline)]
    private static partial Regex DefaultHeader();
}
