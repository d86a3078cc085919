using System.Text.RegularExpressions;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The shape that all pages share: what a page is for comes first, and what to read next comes last.</summary>
public sealed partial class PageShapeTests
{
    public static TheoryData<string> DocsPages() => [.. Repository.DocsPages()];

    [Fact]
    public void The_README_has_at_most_150_lines() => Assert.InRange(Repository.Read("README.md").TrimEnd().Split('\n').Length, 50, 150);

    [Theory]
    [MemberData(nameof(DocsPages))]
    public void A_page_has_one_title_and_says_in_two_sentences_what_it_is_for(string path)
    {
        var sections = Markdown.Sections(Repository.Read(path));
        Assert.Single(sections, section => section.Level == 1);
        Assert.Equal(1, sections[0].Level);
        var opening = sections[0].Text.Split("\n\n")[0];
        Assert.Equal(2, Sentence().Count(opening));
        Assert.DoesNotContain('|', opening);
    }

    [Theory]
    [MemberData(nameof(DocsPages))]
    public void A_page_ends_with_what_to_read_next(string path)
    {
        var last = Markdown.Sections(Repository.Read(path))[^1];
        Assert.Equal((2, "Next steps"), (last.Level, last.Heading));
        Assert.Contains("](", last.Text, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(DocsPages))]
    public void A_page_does_not_skip_a_level_of_headings(string path)
    {
        var level = 0;
        foreach (var section in Markdown.Sections(Repository.Read(path)))
        {
            Assert.InRange(section.Level, 1, level + 1);
            level = section.Level;
        }
    }

    [GeneratedRegex(@"[.!?](?=\s|$)")]
    private static partial Regex Sentence();
}
