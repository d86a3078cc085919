using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Formatting;

namespace Idempotency.AspNetCore.Analyzers;

/// <summary>IDEM004: awaits the task that was dropped. Offered where <c>await</c> may stand, which is in asynchronous code.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(AwaitCodeFix))]
[Shared]
public sealed class AwaitCodeFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ImmutableArray.Create("IDEM004");

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        if (root?.FindNode(context.Span) is not { } node || node.FirstAncestorOrSelf<StatementSyntax>() is not { } statement || !MayAwait(statement))
        {
            return;
        }

        if (Awaited(statement) is { } awaited)
        {
            context.RegisterCodeFix(
                CodeAction.Create("Await it", _ => Task.FromResult(context.Document.WithSyntaxRoot(root.ReplaceNode(statement, awaited.WithAdditionalAnnotations(Formatter.Annotation)))), nameof(AwaitCodeFix)),
                context.Diagnostics);
        }
    }

    private static ExpressionStatementSyntax? Awaited(StatementSyntax statement)
    {
        var task = statement switch
        {
            ExpressionStatementSyntax { Expression: AssignmentExpressionSyntax assignment } => assignment.Right,
            ExpressionStatementSyntax { Expression: var expression } => expression,
            LocalDeclarationStatementSyntax { Declaration.Variables: { Count: 1 } variables } => variables[0].Initializer?.Value,
            _ => null,
        };

        // run?.StepAsync(...) may be null, which cannot be awaited: whether to skip it then is the author's decision.
        return task is null or ConditionalAccessExpressionSyntax or ConditionalExpressionSyntax or BinaryExpressionSyntax
            ? null
            : SyntaxFactory.ExpressionStatement(SyntaxFactory.AwaitExpression(task.WithoutTrivia())).WithTriviaFrom(statement);
    }

    private static bool MayAwait(SyntaxNode statement)
    {
        foreach (var ancestor in statement.Ancestors())
        {
            switch (ancestor)
            {
                case AnonymousFunctionExpressionSyntax function:
                    return function.Modifiers.Any(SyntaxKind.AsyncKeyword);

                case LocalFunctionStatementSyntax function:
                    return function.Modifiers.Any(SyntaxKind.AsyncKeyword);

                case MethodDeclarationSyntax method:
                    return method.Modifiers.Any(SyntaxKind.AsyncKeyword);

                case LockStatementSyntax:
                    return false;

                case GlobalStatementSyntax:
                    return true;

                case MemberDeclarationSyntax:
                    return false;

                default:
                    break;
            }
        }

        return false;
    }
}
