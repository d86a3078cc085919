using System.Runtime.CompilerServices;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Idempotency.AspNetCore.Analyzers.Tests;

/// <summary>What editors and compilers are given.</summary>
public sealed class ShippedTests
{
    private static readonly DiagnosticAnalyzer[] Analyzers = [new RegistrationAnalyzer(), new MarkAnalyzer(), new UnawaitedRunAnalyzer(), new RequestTokenAnalyzer()];

    private static string Folder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    [Fact]
    public async Task Every_rule_has_its_section_in_the_documentation()
    {
        var page = await File.ReadAllTextAsync(Path.Combine(Folder(), "../../docs/analyzers.md"), TestContext.Current.CancellationToken);
        var rules = Analyzers.SelectMany(analyzer => analyzer.SupportedDiagnostics).ToList();
        Assert.Equal(["IDEM001", "IDEM002", "IDEM003", "IDEM004", "IDEM005"], rules.Select(rule => rule.Id).Order(StringComparer.Ordinal));
        Assert.All(rules, rule => Assert.Contains($"\n## {rule.Id}\n", page, StringComparison.Ordinal)); // the heading is the anchor of the link
        Assert.All(rules, rule => Assert.Contains(rule.Title.ToString(System.Globalization.CultureInfo.InvariantCulture), page, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_analyzer_of_the_assembly_is_tested_here() =>
        Assert.Equal(typeof(RegistrationAnalyzer).Assembly.GetTypes().Where(type => type.IsAssignableTo(typeof(DiagnosticAnalyzer))).ToHashSet(), Analyzers.Select(analyzer => analyzer.GetType()).ToHashSet());

    // The .NET 10 SDK has had version 5.0 from its first release on; a compiler loads no analyzer that wants a newer one.
    [Fact]
    public void The_analyzers_load_into_the_oldest_compiler_that_targets_NET_10() => Assert.All(
        typeof(RegistrationAnalyzer).Assembly.GetReferencedAssemblies().Concat(typeof(AwaitCodeFix).Assembly.GetReferencedAssemblies()).Where(assembly => assembly.Name!.StartsWith("Microsoft.CodeAnalysis", StringComparison.Ordinal)),
        assembly => Assert.True(assembly.Version < new Version(5, 0), assembly.FullName));
}
