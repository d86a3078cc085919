using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Simplification;

namespace Idempotency.AspNetCore.Analyzers;

/// <summary>IDEM005: passes the token of the work, or none, in place of the request's.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(RequestTokenCodeFix))]
[Shared]
public sealed class RequestTokenCodeFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ImmutableArray.Create("IDEM005");

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        if (root?.FindNode(context.Span, getInnermostNodeForTie: true) is not { } token
            || !context.Diagnostics[0].Properties.TryGetValue(RequestTokenAnalyzer.Replacement, out var replacement)
            || replacement is null)
        {
            return;
        }

        // Written in full and simplified, so that it is right without the namespace's using, and short with it.
        var text = replacement == "CancellationToken.None" ? "global::System.Threading.CancellationToken.None" : replacement;
        var expression = SyntaxFactory.ParseExpression(text).WithTriviaFrom(token).WithAdditionalAnnotations(Simplifier.Annotation);
        context.RegisterCodeFix(
            CodeAction.Create($"Pass {replacement}", _ => Task.FromResult(context.Document.WithSyntaxRoot(root.ReplaceNode(token, expression))), nameof(RequestTokenCodeFix)),
            context.Diagnostics);
    }
}
