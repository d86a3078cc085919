namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>Every link leads somewhere.</summary>
public sealed class LinkTests
{
    public static TheoryData<string> Pages() => [.. Repository.Pages(), .. Repository.OtherMarkdown()];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_relative_link_leads_to_a_file_and_to_a_heading_that_are_there(string path)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, path))!;
        foreach (var link in Markdown.Links(Repository.Read(path)).Where(link => !Uri.IsWellFormedUriString(link, UriKind.Absolute)))
        {
            var (file, anchor) = link.Split('#') is [var before, var after] ? (before, after) : (link, "");
            var target = file.Length == 0 ? Path.Combine(Repository.Root, path) : Path.GetFullPath(Path.Combine(folder, file));
            Assert.True(Path.Exists(target), $"{path} links to '{link}', and there is no such file.");
            Assert.True(target.StartsWith(Repository.Root, StringComparison.Ordinal), $"{path} links to '{link}', outside of the repository.");
            Assert.True(anchor.Length == 0 || Markdown.Anchors(File.ReadAllText(target)).Contains(anchor), $"{path} links to '{link}', and there is no such heading.");
        }
    }

    [Fact]
    public void Every_page_is_in_the_contents_and_in_the_sites_navigation()
    {
        var contents = Markdown.Links(Repository.Read("docs/index.md")).ToHashSet(StringComparer.Ordinal);
        var navigation = Repository.Read("docs/toc.yml");
        foreach (var page in Repository.DocsPages().Select(path => Path.GetFileName(path)).Where(name => name != "index.md"))
        {
            Assert.Contains(page, contents);
            Assert.Contains($"href: {page}\n", navigation, StringComparison.Ordinal);
        }
    }
}
