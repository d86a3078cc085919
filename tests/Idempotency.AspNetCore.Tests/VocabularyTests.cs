using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp;

namespace Idempotency.AspNetCore.Tests;

/// <summary>One word for one thing, in pages, messages and comments. Code is not checked: names that are public stay.</summary>
public sealed class VocabularyTests
{
    /// <summary>Words that are replaced, as a pattern, and the word to use.</summary>
    private static readonly (string Pattern, string Use)[] Replaced =
    [
        (@"answer(s|ed|ing)?", "response (over HTTP), result (of a function), or a verb: respond, reject, replay"),
        (@"refus(e|es|ed|ing|al|als)", "reject, rejection"),
        (@"remember(s|ed|ing)?", "record"),
        (@"(give|gives|giving|gave|given) up|let(s|ting)? go", "release; abandon"),
        (@"told", "an active verb: returns, receives, reports"),
        (@"vanish(es|ed|ing)?|lapse[sd]?|lapsing", "abandoned; the lease ends"),
        (@"exams?", "conformance tests"),
        (@"the same again|tells? again|repetitions?", "duplicate; replay; retry"),
        (@"(cannot|could not) be asked", "is unavailable"),
        (@"too large to keep|(response|record|result|claim)s? (is|are|was|were) (not )?kept|keeps? ((a|the|its|their|no) )?(claim|record|response|result)s?", "record, renew, store"),
    ];

    /// <summary>Uses of these words that mean something else, each with its reason.</summary>
    private static readonly (string Text, string Reason)[] Allowed =
    [
        (".Refuse", "the name of an enum value: AbandonedBehavior.Refuse, InterruptedStepBehavior.Refuse"),
        ("is Refuse.", "the same, in a message"),
        (":lapsed", "a placeholder in DynamoDB's expressions, which nobody reads"),
        ("told apart", "distinguished"),
    ];

    private static readonly Regex[] Patterns = [.. Replaced.Select(word => new Regex($@"\b({word.Pattern})\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant))];

    private static readonly string Root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", ".."));

    [Fact]
    public void Pages_use_one_word_for_one_thing()
    {
        string[] pages =
        [
            "README.md", "CHANGELOG.md",
            .. Files("docs", "*.md"),
            .. Files("src", "README.md"),
        ];
        Assert.Contains("src/Idempotency.AspNetCore/README.md", pages); // or nothing was looked at
        Assert.Empty(pages.SelectMany(page => Violations(page, TextOfPage(File.ReadAllText(Path.Combine(Root, page))))));
    }

    [Fact]
    public void Messages_and_comments_use_one_word_for_one_thing()
    {
        var sources = Files("src", "*.cs").ToList();
        Assert.True(sources.Count > 200, "The sources were not found.");
        Assert.Empty(sources.AsParallel().SelectMany(source => Violations(source, TextOfSource(File.ReadAllText(Path.Combine(Root, source))))).Order());
    }

    [Theory]
    [InlineData("The first caller gets the answer.", true)]
    [InlineData("The request is refused, and the client is told why.", true)]
    [InlineData("A claim that lapsed is taken over.", true)]
    [InlineData("It is too large to keep.", true)]
    [InlineData("The answer is `Refuse`.", true)]
    [InlineData("Set it to `Refuse`.", false)]
    [InlineData("The server keeps the connection open.", false)]
    [InlineData("Tenants that are told apart by host name.", false)]
    public void A_replaced_word_is_recognized(string text, bool isViolation) => Assert.Equal(isViolation, Violations("page", TextOfPage(text)).Any());

    [Theory]
    [InlineData("class A { int answer; }", false)]
    [InlineData("class A { } // the answer", true)]
    [InlineData("/// <summary>The answer.</summary>\nclass A { }", true)]
    [InlineData("/// <summary>See <see cref=\"A.Refuse\"/> and <c>refuse</c>.</summary>\nclass A { }", false)]
    [InlineData("class A { string B = $\"The answer of {1}\"; }", true)]
    public void Comments_and_strings_of_a_source_are_read(string source, bool isViolation) => Assert.Equal(isViolation, Violations("source", TextOfSource(source)).Any());

    private static IEnumerable<string> Violations(string file, IEnumerable<(int Line, string Text)> texts) =>
        from text in texts
        let cleaned = Allowed.Aggregate(text.Text, (current, allowed) => current.Replace(allowed.Text, "", StringComparison.Ordinal))
        from i in Enumerable.Range(0, Patterns.Length)
        let match = Patterns[i].Match(cleaned)
        where match.Success
        select $"{file}:{text.Line}: '{match.Value}'. Use: {Replaced[i].Use}.";

    // Code has its own names, also in a page.
    private static IEnumerable<(int Line, string Text)> TextOfPage(string page) => page.Split('\n').Select((line, i) => (i + 1, Regex.Replace(line, "`[^`]*`", "")));

    private static IEnumerable<(int Line, string Text)> TextOfSource(string source)
    {
        var root = CSharpSyntaxTree.ParseText(source).GetRoot();
        var comments = root.DescendantTrivia()
            .Where(trivia => trivia.Kind() is SyntaxKind.SingleLineCommentTrivia or SyntaxKind.MultiLineCommentTrivia or SyntaxKind.SingleLineDocumentationCommentTrivia or SyntaxKind.MultiLineDocumentationCommentTrivia)
            .Select(trivia => (Position: trivia.FullSpan.Start, Text: trivia.ToFullString()));
        var strings = root.DescendantTokens()
            .Where(token => token.Kind() is SyntaxKind.StringLiteralToken or SyntaxKind.InterpolatedStringTextToken or SyntaxKind.SingleLineRawStringLiteralToken or SyntaxKind.MultiLineRawStringLiteralToken)
            .Select(token => (Position: token.SpanStart, token.Text));
        var lines = root.GetText().Lines;
        return from part in comments.Concat(strings)
               let first = lines.GetLineFromPosition(part.Position).LineNumber + 1
               let text = Regex.Replace(part.Text, "<c>.*?</c>|cref=\"[^\"]*\"", "")
               from line in text.Split('\n').Select((line, i) => (first + i, line))
               select line;
    }

    private static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Root, path).Replace(Path.DirectorySeparatorChar, '/'))
            .Where(path => !path.Split('/').Any(part => part is "bin" or "obj" or "node_modules"))
            .Order(StringComparer.Ordinal);

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
