using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Testing;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Testing;

namespace Idempotency.AspNetCore.Analyzers.Tests;

/// <summary>Runs an analyzer over an application's code, in which <c>{|ID:...|}</c> marks what is to be reported, and nothing else may be.</summary>
internal static class Verify
{
    // What the web SDK imports.
    private const string Usings = """
        global using System;
        global using System.Collections.Generic;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        global using Idempotency.AspNetCore;
        global using Microsoft.AspNetCore.Builder;
        global using Microsoft.AspNetCore.Hosting;
        global using Microsoft.AspNetCore.Http;
        global using Microsoft.AspNetCore.Mvc;
        global using Microsoft.AspNetCore.Mvc.RazorPages;
        global using Microsoft.AspNetCore.Routing;
        global using Microsoft.AspNetCore.SignalR;
        global using Microsoft.Extensions.Configuration;
        global using Microsoft.Extensions.DependencyInjection;
        global using Microsoft.Extensions.Hosting;
        """;

    // The framework that runs the tests, and the core: no package is fetched.
    private static readonly ReferenceAssemblies NoPackages = new("net10.0");
    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetDirectoryName(Path.GetDirectoryName(path)) is { } framework && Path.GetFileName(framework) is "Microsoft.NETCore.App" or "Microsoft.AspNetCore.App")
            .Append(typeof(IdempotencyPolicy).Assembly.Location)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    public static Task AnalyzerAsync<TAnalyzer>(string source, OutputKind output = OutputKind.DynamicallyLinkedLibrary, string? reference = null, CompilerDiagnostics compiler = CompilerDiagnostics.Errors, string? generated = null)
        where TAnalyzer : DiagnosticAnalyzer, new() => FixAsync<TAnalyzer, EmptyCodeFixProvider>(source, source, output, reference, compiler, generated);

    public static Task FixAsync<TAnalyzer, TFix>(
        string source,
        string mended,
        OutputKind output = OutputKind.DynamicallyLinkedLibrary,
        string? reference = null,
        CompilerDiagnostics compiler = CompilerDiagnostics.Errors,
        string? generated = null)
        where TAnalyzer : DiagnosticAnalyzer, new()
        where TFix : CodeFixProvider, new()
    {
        var test = new Test<TAnalyzer, TFix> { TestCode = source, ReferenceAssemblies = NoPackages, CompilerDiagnostics = compiler };
        test.TestState.OutputKind = output;
        test.TestState.Sources.Add(("Usings.cs", Usings));
        test.TestState.AdditionalReferences.AddRange(References);
        if (generated is not null)
        {
            test.TestState.Sources.Add(("Made.g.cs", generated));
        }

        if (reference is not null)
        {
            var project = test.TestState.AdditionalProjects["Shared"];
            project.ReferenceAssemblies = NoPackages;
            project.AdditionalReferences.AddRange(References);
            project.Sources.Add(("Shared.cs", Usings + reference));
            test.TestState.AdditionalProjectReferences.Add("Shared");
        }

        if (mended != source)
        {
            test.FixedState.InheritanceMode = StateInheritanceMode.AutoInherit;
            test.FixedState.Sources.Add(mended);
            test.FixedState.Sources.Add(("Usings.cs", Usings));
        }

        return test.RunAsync(TestContext.Current.CancellationToken);
    }

    private sealed class Test<TAnalyzer, TFix> : CSharpCodeFixTest<TAnalyzer, TFix, DefaultVerifier>
        where TAnalyzer : DiagnosticAnalyzer, new()
        where TFix : CodeFixProvider, new()
    {
        protected override ParseOptions CreateParseOptions() => new CSharpParseOptions(LanguageVersion.Latest);
    }
}
