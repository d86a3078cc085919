namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>Code on the pages is code that was compiled and run, and texts of the library are those that it has today. IDEMPOTENCY_UPDATE_DOCS=1 writes both into the pages.</summary>
public sealed class SnippetTests
{
    public static TheoryData<string> Pages() => [.. Repository.Pages()];

    [Theory]
    [MemberData(nameof(Pages))]
    public void What_the_code_decides_on_a_page_is_what_the_code_says(string path)
    {
        var page = Repository.Read(path);
        Assert.All(Snippets.On(page), name => Assert.True(Snippets.All.ContainsKey(name), $"No '#region docs: {name}' is in a project under tests or samples."));
        var updated = Updates.Of(page);
        if (Updates.AreWritten && updated != page)
        {
            File.WriteAllText(Path.Combine(Repository.Root, path), updated);
            return;
        }

        Assert.Equal(updated, page);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_csharp_fence_is_a_snippet_or_says_why_it_does_not_run(string path)
    {
        var page = Repository.Read(path);
        Assert.Equal(Snippets.Fences(page), Snippets.On(page).Count() + Snippets.NotRun(page));
    }

    [Fact]
    public void Every_region_is_shown_on_a_page()
    {
        var shown = Repository.Pages().SelectMany(path => Snippets.On(Repository.Read(path))).ToHashSet(StringComparer.Ordinal);
        Assert.All(Snippets.All.Keys, name => Assert.Contains(name, shown));
    }

    [Fact]
    public void Every_log_event_is_on_the_operators_page() =>
        Assert.All(LogEvents.Ids, id => Assert.Contains($"\n| {id} | `", Repository.Read("docs/operations.md"), StringComparison.Ordinal));
}
