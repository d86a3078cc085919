using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The core's folders are chapters: a file uses its own chapter and earlier ones only, so the core can be read from top to bottom.</summary>
public sealed class ChapterOrderTests
{
    /// <summary>The order, as docs/architecture.md has it. A folder in a folder is a chapter of its own.</summary>
    private static readonly string[] Chapters =
    [
        "Encoding",
        "Time",
        "Diagnostics",
        "Policies",
        "Problems",
        "Keys",
        "Storage",
        "Storage/InMemory",
        "Results",
        "Execution",
        "Responses",
        "IdempotencyMiddleware.cs",
        "Functions",
        "Description",
        "Administration",
        "Setup",
    ];

    private const int MostLinesOfMiddleware = 110;

    private static readonly string Root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", ".."));

    private static readonly string Core = Path.Combine(Root, "src", "Idempotency.AspNetCore");

    // What the SDK adds to each file (ImplicitUsings).
    private static readonly SyntaxTree ImplicitUsings = CSharpSyntaxTree.ParseText(
        """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq;
        global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;
        """);

    // A generator's half of a partial type or method is not compiled here. Each of these says that such a half is missing, and nothing else.
    private static readonly string[] MissingGeneratedCode = ["CS8795", "CS0534", "CS7036", "CS0117"];

    [Fact]
    public void A_chapter_uses_its_own_types_and_those_of_earlier_chapters()
    {
        var files = Directory.EnumerateFiles(Core, "*.cs", SearchOption.AllDirectories)
            .Select(path => (Path: Path.GetRelativePath(Core, path).Replace(Path.DirectorySeparatorChar, '/'), Text: File.ReadAllText(path)))
            .Where(file => file.Path.Split('/')[0] is not ("bin" or "obj"))
            .ToList();
        var compilation = Compile(files);

        // What does not compile has no symbols, and so could hide a use.
        Assert.Empty(compilation.GetDiagnostics().Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error && !MissingGeneratedCode.Contains(diagnostic.Id)));
        Assert.Empty(files.Select(file => ChapterOf(file.Path)).Distinct().Except(Chapters));
        var violations = Violations(compilation);
        Assert.True(violations.Length == 0, string.Join(Environment.NewLine, violations));
    }

    [Fact]
    public void The_contributors_guide_has_the_same_order() =>
        Assert.Contains(string.Join(" → ", Chapters.Select(chapter => $"`{chapter}`")), File.ReadAllText(Path.Combine(Root, "docs", "architecture.md")), StringComparison.Ordinal);

    [Fact]
    public void The_middleware_can_be_read_at_once() =>
        Assert.InRange(File.ReadLines(Path.Combine(Core, "IdempotencyMiddleware.cs")).Count(), 1, MostLinesOfMiddleware);

    [Theory]
    [InlineData("class A { Later? _later; }")]
    [InlineData("class A { object Make() => new Later(); }")]
    [InlineData("class A { void Take(List<Later[]> all) { } }")]
    [InlineData("class A { string Name() => nameof(Later); }")]
    [InlineData("class A { object Of() => typeof(Later); }")]
    [InlineData("class A { int Extended() => 1.Twice(); }")]
    [InlineData("class A { int Constant() => Later.One; }")]
    [InlineData("using static Later; class A { int Constant() => One; }")]
    [InlineData("using Other = Later; class A { Other? _later; }")]
    [InlineData("class A { bool Is(object o) => o is Later { Number: 1 }; }")]
    [InlineData("class A { int Inferred() { var later = Own.Make(); return later.Number; } }")]
    [InlineData("[Mark] class A;")]
    [InlineData("class A : Later;")]
    [InlineData("class A<T> where T : Later;")]
    public void A_use_of_a_later_type_is_found_whatever_its_form(string text)
    {
        var compilation = Compile(
        [
            ("Keys/A.cs", text),
            ("Responses/Later.cs", "public class Later { public const int One = 1; public int Number => One; } public class MarkAttribute : Attribute; public static class Extensions { public static int Twice(this int number) => number; }"),
            ("Responses/Own.cs", "public static class Own { public static Later Make() => new(); }"),
        ]);
        Assert.Empty(compilation.GetDiagnostics().Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error));
        Assert.NotEmpty(Violations(compilation));
    }

    [Theory]
    [InlineData("Responses/A.cs", "class A { Earlier? _earlier; }")]
    [InlineData("Keys/A.cs", "/// <summary>See <see cref=\"Later\"/>.</summary> \n class A { Earlier? _earlier; }")] // a reader may look ahead; the code may not
    [InlineData("Keys/A.cs", "class A { string Later() => \"Later\"; }")]
    public void Earlier_types_and_comments_are_free(string path, string text) => Assert.Empty(Violations(Compile(
    [
        (path, text),
        ("Keys/Earlier.cs", "public class Earlier;"),
        ("Responses/Later.cs", "public class Later;"),
    ])));

    private static CSharpCompilation Compile(IEnumerable<(string Path, string Text)> files)
    {
        var options = CSharpParseOptions.Default.WithLanguageVersion(LanguageVersion.Latest).WithDocumentationMode(DocumentationMode.Parse);
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => !Path.GetFileName(path).StartsWith("Idempotency.", StringComparison.Ordinal))
            .Select(path => MetadataReference.CreateFromFile(path));
        return CSharpCompilation.Create(
            "Idempotency.AspNetCore",
            files.Select(file => CSharpSyntaxTree.ParseText(file.Text, options, file.Path)).Append(ImplicitUsings.WithRootAndOptions(ImplicitUsings.GetRoot(), options)),
            references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
    }

    private static string[] Violations(CSharpCompilation compilation)
    {
        var found = new ConcurrentDictionary<string, byte>();
        foreach (var tree in compilation.SyntaxTrees.Where(tree => tree.FilePath.Length > 0))
        {
            var model = compilation.GetSemanticModel(tree);
            var chapter = IndexOf(tree.FilePath);
            foreach (var node in tree.GetRoot().DescendantNodes()) // not of comments
            {
                foreach (var type in TypesOf(model, node))
                {
                    foreach (var declared in type.DeclaringSyntaxReferences.Select(reference => reference.SyntaxTree.FilePath).Where(path => IndexOf(path) > chapter))
                    {
                        found.TryAdd($"{tree.FilePath}:{node.GetLocation().GetLineSpan().StartLinePosition.Line + 1} uses {type.Name} of {declared}", 0);
                    }
                }
            }
        }

        return [.. found.Keys.Order()];
    }

    /// <summary>The types a piece of code uses: the one it names or whose member it names, and that of its value.</summary>
    private static IEnumerable<INamedTypeSymbol> TypesOf(SemanticModel model, SyntaxNode node)
    {
        var symbol = model.GetSymbolInfo(node).Symbol;
        var info = model.GetTypeInfo(node);
        return new ITypeSymbol?[] { symbol as ITypeSymbol, symbol?.ContainingType, info.Type, info.ConvertedType }.SelectMany(Named);
    }

    private static IEnumerable<INamedTypeSymbol> Named(ITypeSymbol? type) => type switch
    {
        IArrayTypeSymbol array => Named(array.ElementType),
        IPointerTypeSymbol pointer => Named(pointer.PointedAtType),
        INamedTypeSymbol named => named.TypeArguments.SelectMany(Named).Append(named.OriginalDefinition),
        _ => [],
    };

    private static string ChapterOf(string path) => path.Contains('/', StringComparison.Ordinal) ? path[..path.LastIndexOf('/')] : path;

    private static int IndexOf(string path) => Array.IndexOf(Chapters, ChapterOf(path));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
