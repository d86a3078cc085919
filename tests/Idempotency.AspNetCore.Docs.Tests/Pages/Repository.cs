using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The repository that the pages are in.</summary>
internal static class Repository
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", ".."));

    /// <summary>The README and everything in docs, with paths relative to the root and forward slashes.</summary>
    public static IEnumerable<string> Pages() => ["README.md", .. DocsPages()];

    /// <summary>The pages in docs.</summary>
    public static IEnumerable<string> DocsPages() => Directory.GetFiles(Path.Combine(Root, "docs"), "*.md").Select(path => "docs/" + Path.GetFileName(path)).Order(StringComparer.Ordinal);

    /// <summary>The READMEs that go into packages.</summary>
    public static IEnumerable<string> PackageReadmes() => Directory.GetDirectories(Path.Combine(Root, "src"))
        .Select(folder => $"src/{Path.GetFileName(folder)}/README.md").Where(path => File.Exists(Path.Combine(Root, path))).Order(StringComparer.Ordinal);

    /// <summary>Other Markdown that stands at the root, and what the pages link to elsewhere.</summary>
    public static IEnumerable<string> OtherMarkdown() => Directory.GetFiles(Root, "*.md").Select(path => Path.GetFileName(path)).Where(path => path != "README.md").Order(StringComparer.Ordinal);

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
