using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;

namespace Idempotency.AspNetCore.Analyzers;

/// <summary>IDEM002 and IDEM003: moves the attribute from a page's handler to the page's model, or removes what has no effect.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(MarkCodeFix))]
[Shared]
public sealed class MarkCodeFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ImmutableArray.Create("IDEM002", "IDEM003");

    /// <summary>None for a whole document: two handlers' attributes would be moved to one class twice.</summary>
    public override FixAllProvider? GetFixAllProvider() => null;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        if (root?.FindNode(context.Span)?.FirstAncestorOrSelf<AttributeSyntax>() is not { } attribute)
        {
            return; // a call: what to do instead is not obvious
        }

        if (attribute.Parent is not AttributeListSyntax { Parent: { } marked } list)
        {
            return;
        }

        // What stands before the attribute (a comment, an empty line) stands before what it marked.
        var unmarked = list.Attributes.Count > 1
            ? marked.RemoveNode(attribute, SyntaxRemoveOptions.KeepNoTrivia)!
            : marked.RemoveNode(list, SyntaxRemoveOptions.KeepNoTrivia)!.WithLeadingTrivia(marked.GetLeadingTrivia());
        if (context.Diagnostics[0].Properties.ContainsKey(MarkAnalyzer.BelongsOnClass) && attribute.FirstAncestorOrSelf<ClassDeclarationSyntax>() is { } model)
        {
            context.RegisterCodeFix(
                CodeAction.Create(
                    $"Put it on {model.Identifier.ValueText}",
                    async cancellation =>
                    {
                        var editor = await DocumentEditor.CreateAsync(context.Document, cancellation).ConfigureAwait(false);
                        editor.ReplaceNode(marked, unmarked);
                        if (!model.AttributeLists.SelectMany(static on => on.Attributes).Any(other => other.Name.ToString() == attribute.Name.ToString()))
                        {
                            editor.AddAttribute(model, SyntaxFactory.AttributeList(SyntaxFactory.SingletonSeparatedList(attribute.WithoutTrivia())));
                        }

                        return editor.GetChangedDocument();
                    },
                    "Move"),
                context.Diagnostics);
            return;
        }

        context.RegisterCodeFix(
            CodeAction.Create("Remove the attribute", _ => Task.FromResult(context.Document.WithSyntaxRoot(root.ReplaceNode(marked, unmarked))), "Remove"),
            context.Diagnostics);
    }
}
